/**
 * How much of its limit the journal has used, and whether it may take more.
 *
 * The measure is LMDB's pages, looked at after each release and now and then; in between the sizes of new entries are
 * added up. In emergency (see reserve.ts) only pages that were already handed out are taken.
 */
import type { Clock } from '../core/clock.js'
import { ConnectorError } from '../core/errors.js'
import type { NewEntry } from './journal.js'
import { diskOf, Reserve } from './reserve.js'

const PAGE = 4096
/** Entries above half a page go to pages of their own. */
const INLINE = PAGE / 2
/** Keys, field names and page headers, roughly. */
const OVERHEAD = 160
/** What LMDB itself may need beside the entries: copied tree pages, the free list. */
const SLACK = 16 * 1024 * 1024
/** Milliseconds between two tries to get the reserve back: each may write all of it. */
const RECOVERY_INTERVAL = 2000

/** What a transaction copies beside what it adds: tree pages, the free list. */
const HEADROOM = 512 * 1024

export interface CapacityOptions {
  readonly directory: string
  readonly maxBytes: number
  readonly reserveBytes: number
  readonly clock: Clock
  readonly onWarning?: (message: string) => void
}

/** What LMDB has in its file, in bytes; see pages.ts. */
export interface FileUse {
  entries(): number
  spare(): number
}

export class Capacity {
  readonly #options: CapacityOptions
  readonly #file: FileUse
  readonly #reserve: Reserve
  /** In pages at the last look, and by sizes since. */
  #base: number
  #since = 0
  #pending = 0
  #pendingBytes = 0
  /** Answers that are on their way here, at their largest. */
  #expected = 0
  #emergency = false
  #triedAt = -Infinity

  constructor(options: CapacityOptions, file: FileUse) {
    this.#options = options
    this.#file = file
    this.#base = file.entries()
    this.#reserve = new Reserve(options.directory, Math.min(options.reserveBytes, options.maxBytes / 4))
    if (!this.#reserve.restore()) {
      options.onWarning?.(`the disk that holds ${options.directory} has no room for the journal's reserve`)
    }
  }

  /** Bytes on the disk, roughly. */
  get bytes(): number {
    return this.#base + this.#since
  }

  /** Whether a write has failed and room has not been found since. */
  get emergency(): boolean {
    return this.#emergency
  }

  /** Appends under way. */
  get pending(): number {
    return this.#pending
  }

  /**
   * Counts an entry in.
   * @returns its size, for `settle`
   * @throws ConnectorError JOURNAL_FULL
   */
  take(entry: NewEntry): number {
    const size = sizeOf(entry)
    if (this.#since > this.#options.maxBytes / 16) this.#look()
    // A page in hand is the only copy there is: room for it was looked for before it was asked for.
    if (entry.via !== 'PULL') {
      const refusalReason = this.refusal(size)
      if (refusalReason !== null) throw new ConnectorError('JOURNAL_FULL', refusalReason)
    }
    this.#since += size
    this.#pendingBytes += size
    this.#pending++
    return size
  }

  /** The append of this size is over. What failed is counted out again: a page may be tried for hours. */
  settle(size: number, durable: boolean): void {
    if (!durable) this.#since -= size
    this.#pendingBytes -= size
    this.#pending--
  }

  /** Entries were released. */
  released(): void {
    this.#look()
    if (this.#emergency) this.#tryToRecover()
  }

  /** @param size of what is to be taken; by default a page, which nearly every callback fits into */
  refusal(size = PAGE): string | null {
    if (this.#emergency && !this.#tryToRecover()) {
      return `the disk that holds ${this.#options.directory} refuses writes; free space on it`
    }
    if (this.bytes + size > this.#options.maxBytes) {
      return `the journal holds ${this.bytes} of at most ${this.#options.maxBytes} bytes (journal.maxBytes); it empties as Kafka takes what it holds`
    }
    return null
  }

  hasRoomFor(bytes: number): boolean {
    if (this.refusal() !== null) return false
    // A limit, or a disk, smaller than one answer could never be met: then a good part of it must be free, and the
    // answer may exceed it.
    const { free, total } = diskOf(this.#options.directory)
    const underLimit = Math.min(bytes, this.#options.maxBytes / 2)
    const onDisk = Math.min(bytes + SLACK, total / 4) + this.#expected
    return this.bytes + underLimit <= this.#options.maxBytes && free + this.#file.spare() >= onDisk
  }

  /** @returns to be called when what was expected is here, or does not come */
  reserveRoom(bytes: number): () => void {
    this.#expected += bytes
    let over = false
    return () => {
      if (!over) this.#expected -= bytes
      over = true
    }
  }

  /**
   * Whether LMDB can be asked to write this much more without meeting the end of the disk. It must not: on a failed
   * write of a large entry lmdb 3.5 corrupts the memory of the process (seen: "malloc(): invalid size").
   */
  fitsOnDisk(bytes: number): boolean {
    const wanted = bytes + this.#pendingBytes + HEADROOM
    if (diskOf(this.#options.directory).free >= wanted) return true
    // Pages in LMDB's file that were used before lie scattered; a large entry needs a row of them.
    return this.#file.spare() >= (bytes > INLINE ? 4 * wanted : wanted)
  }

  /**
   * From now on emergency; the reserve's room is free for what may use it.
   * @returns whether this began it
   */
  writeFailed(): boolean {
    const began = !this.#emergency
    this.#emergency = true
    this.#reserve.free()
    return began
  }

  #look(): void {
    this.#base = this.#file.entries()
    this.#since = this.#pendingBytes
  }

  /** Over when the reserve is back, or LMDB's own file has room: it never shrinks, and may have taken the whole disk. */
  #tryToRecover(): boolean {
    const now = this.#options.clock.monotonic()
    if (now - this.#triedAt < RECOVERY_INTERVAL) return false
    this.#triedAt = now
    if (!this.#reserve.restore() && this.#file.spare() < 2 * this.#reserve.bytes) return false
    this.#emergency = false
    this.#options.onWarning?.('the disk takes journal writes again')
    return true
  }
}

/** As LMDB stores it: whole pages of its own, or a share of one. */
const sizeOf = ({ body, facts }: NewEntry): number => {
  let size = OVERHEAD + body.byteLength
  for (const fact of Object.values(facts) as string[]) size += fact.length
  return size <= INLINE ? Math.ceil(PAGE / Math.floor(PAGE / size)) : Math.ceil(size / PAGE) * PAGE
}
