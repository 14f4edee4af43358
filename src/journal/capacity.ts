/**
 * How much of its limit the journal has used, and whether it may take more.
 *
 * The measure is the number of LMDB's pages. It is taken after each release, and before an admission once entries of a
 * sixteenth of the limit have been added; in between the sizes of new entries are added up.
 *
 * A failed write counts as a full disk, and frees the reserve (see disk-reserve.ts). As long as the reserve is freed, only
 * pages of a destructive queue are taken, because they are the only copy there is, and releases go on; both use the room of
 * the reserve. This ends when the reserve can be allocated again, or when the data file has enough unused pages.
 */
import type { Clock } from '../core/clock.js'
import { ConnectorError } from '../core/errors.js'
import type { Log } from '../core/log.js'
import { DiskReserve, diskSpace } from './disk-reserve.js'
import { isOnlyCopy, type NewEntry } from './journal.js'

const PAGE_BYTES = 4_096
/** LMDB stores a larger entry in pages of its own. */
const MAX_SHARED_PAGE_BYTES = PAGE_BYTES / 2
/** Keys, field names and page headers of an entry, approximately. */
const ENTRY_OVERHEAD_BYTES = 160
/** What LMDB may need beside the entries of one answer: copied tree pages and the list of free pages. */
const LMDB_OVERHEAD_BYTES = 16 * 1024 * 1024
/** What a transaction writes beside what it adds: copied tree pages and the list of free pages. */
const TRANSACTION_OVERHEAD_BYTES = 512 * 1024
/**
 * A large entry needs adjacent pages, and unused pages lie scattered over the data file. With this many times the bytes that
 * are wanted, enough of them are adjacent.
 */
const SCATTERED_PAGES_FACTOR = 4
/**
 * Free space of at least so many bytes, measured within the last so many milliseconds, is enough for entries up to the third
 * figure. In that time a disk would have to be filled at more than 5 GB a second.
 */
const AMPLE_SPACE_BYTES = 512 * 1024 * 1024
const FREE_SPACE_VALID_MS = 100
const MAX_UNMEASURED_BYTES = 2 * 1024 * 1024
/** Each attempt to allocate the reserve again may write all of it, so attempts are this far apart. */
const RESTORE_INTERVAL_MS = 2_000
/** The part of the journal's limit that the reserve may take. */
const MAX_RESERVE_SHARE = 1 / 4
/** The part of the limit that is added up before the pages are measured again. */
const REMEASURE_SHARE = 1 / 16

export interface CapacityOptions {
  readonly directory: string
  /** Bytes that entries may take on the disk. What is remembered of released ones comes on top. */
  readonly maxBytes: number
  /** Bytes of the disk that are kept free for answers that were already requested. */
  readonly reserveBytes: number
  readonly clock: Clock
  readonly log?: Log
}

/** Bytes of LMDB's data file. */
export interface DataFileUsage {
  /** Bytes of the pages that hold entries. */
  entries(): number
  /** Bytes of the pages that hold nothing. */
  unused(): number
}

export class Capacity {
  readonly #options: CapacityOptions
  readonly #dataFile: DataFileUsage
  readonly #reserve: DiskReserve
  #measuredBytes: number
  /** Sizes of the entries that were added since the last measurement. */
  #addedBytes = 0
  #pendingAppends = 0
  #pendingBytes = 0
  /** The largest sizes of the answers that were requested and have not arrived. */
  #reservedBytes = 0
  #isReserveFreed = false
  #lastRestoreAt = -Infinity
  #freeSpace = { bytes: 0, measuredAt: -Infinity }

  constructor(options: CapacityOptions, dataFile: DataFileUsage) {
    this.#options = options
    this.#dataFile = dataFile
    this.#measuredBytes = dataFile.entries()
    const reserveBytes = Math.min(options.reserveBytes, options.maxBytes * MAX_RESERVE_SHARE)
    this.#reserve = new DiskReserve(options.directory, reserveBytes)
    if (!this.#reserve.restore()) {
      options.log?.warn(
        { event: 'journal-reserve-missing' },
        `the disk that holds ${options.directory} has no room for the journal's reserve`,
      )
    }
  }

  get directory(): string {
    return this.#options.directory
  }

  /** Bytes that the entries take on the disk, approximately. */
  get bytes(): number {
    return this.#measuredBytes + this.#addedBytes
  }

  /** Whether the reserve has been freed because a write failed, and no room has been found since. */
  get isReserveFreed(): boolean {
    return this.#isReserveFreed
  }

  get pendingAppends(): number {
    return this.#pendingAppends
  }

  /**
   * Admits an entry and counts its size.
   * @returns the size in bytes, for `settle`
   * @throws ConnectorError JOURNAL_FULL
   */
  admit(entry: NewEntry): number {
    const size = storedBytes(entry)
    if (this.#addedBytes > this.#options.maxBytes * REMEASURE_SHARE) this.#measure()
    // A page of a destructive queue is the only copy there is. Room for it was found before it was requested.
    if (!isOnlyCopy(entry)) {
      const reason = this.refusalReason(size)
      if (reason !== null) throw new ConnectorError('JOURNAL_FULL', reason)
    }
    this.#addedBytes += size
    this.#pendingBytes += size
    this.#pendingAppends++
    return size
  }

  /** Ends the append of an admitted entry. The size of a failed one no longer counts: a page may be tried for hours. */
  settle(size: number, isDurable: boolean): void {
    if (!isDurable) this.#addedBytes -= size
    this.#pendingBytes -= size
    this.#pendingAppends--
  }

  /** Measures the pages, and allocates a freed reserve again if the release has made room. */
  measureAfterRelease(): void {
    this.#measure()
    if (this.#isReserveFreed) this.#tryToRestoreReserve()
  }

  /** @param size of the entry in bytes; by default one page, which nearly every callback fits into */
  refusalReason(size = PAGE_BYTES): string | null {
    const { directory, maxBytes } = this.#options
    if (this.#isReserveFreed && !this.#tryToRestoreReserve()) {
      return `the disk that holds ${directory} refuses writes; free space on it`
    }
    if (this.bytes + size > maxBytes) {
      return `the journal holds ${this.bytes} of at most ${maxBytes} bytes (journal.maxBytes); it empties as Kafka takes what it holds`
    }
    return null
  }

  get maxBytes(): number {
    return this.#options.maxBytes
  }

  /** Bytes that entries can still take: what the limit leaves, or what the disk and the data file leave if that is less. */
  freeBytes(): number {
    const { directory, maxBytes } = this.#options
    const onDisk = diskSpace(directory).free + this.#dataFile.unused()
    return Math.max(0, Math.min(maxBytes - this.bytes, onDisk))
  }

  /** Whether an answer of up to `bytes` would fit, both within the limit and on the disk. */
  hasRoomFor(bytes: number): boolean {
    if (this.refusalReason() !== null) return false
    const { directory, maxBytes } = this.#options
    const { free, total } = diskSpace(directory)
    // A limit, or a disk, may be smaller than the largest answer. A good part of it must be free then, and the answer may
    // exceed it; otherwise nothing could ever be requested.
    const neededWithinLimit = Math.min(bytes, maxBytes / 2)
    const neededOnDisk = (factor: number): number =>
      Math.min(factor * (bytes + LMDB_OVERHEAD_BYTES), total / 4) + factor * this.#reservedBytes
    if (this.bytes + neededWithinLimit > maxBytes) return false
    // As in `fitsOnDisk`, which decides when the answers have arrived. They may all be pending at the same time.
    return free >= neededOnDisk(1) || this.#dataFile.unused() >= neededOnDisk(SCATTERED_PAGES_FACTOR)
  }

  /** @returns ends the reservation; further calls have no effect */
  reserveRoom(bytes: number): () => void {
    this.#reservedBytes += bytes
    let isReserved = true
    return () => {
      if (isReserved) this.#reservedBytes -= bytes
      isReserved = false
    }
  }

  /**
   * Whether LMDB can write this many bytes more without meeting the end of the disk. This must be known beforehand: when the
   * write of a large entry fails, lmdb 3.5 corrupts the memory of the process (observed: "malloc(): invalid size").
   */
  fitsOnDisk(bytes: number): boolean {
    const added = bytes + this.#pendingBytes
    const needed = added + TRANSACTION_OVERHEAD_BYTES
    if (this.#hasAmpleSpace(needed)) return true
    if (this.#measureFreeSpace() >= needed) return true
    // The pending appends may hold a large entry.
    const factor = added > MAX_SHARED_PAGE_BYTES ? SCATTERED_PAGES_FACTOR : 1
    return this.#dataFile.unused() >= factor * needed
  }

  /**
   * Whether the free space that was measured a moment ago is so ample that it need not be measured again. It is never ample
   * for a large entry.
   */
  #hasAmpleSpace(needed: number): boolean {
    if (this.#pendingBytes > MAX_UNMEASURED_BYTES || needed > MAX_UNMEASURED_BYTES) return false
    const age = this.#options.clock.monotonic() - this.#freeSpace.measuredAt
    return age < FREE_SPACE_VALID_MS && this.#freeSpace.bytes >= AMPLE_SPACE_BYTES
  }

  #measureFreeSpace(): number {
    const { clock, directory } = this.#options
    this.#freeSpace = { bytes: diskSpace(directory).free, measuredAt: clock.monotonic() }
    return this.#freeSpace.bytes
  }

  /**
   * Frees the reserve, because the disk is full, for the writes that may use its room.
   * @returns false if the reserve was freed already
   */
  freeReserve(): boolean {
    const isNew = !this.#isReserveFreed
    this.#isReserveFreed = true
    this.#reserve.free()
    return isNew
  }

  #measure(): void {
    this.#measuredBytes = this.#dataFile.entries()
    this.#addedBytes = this.#pendingBytes
  }

  /**
   * Allocates the reserve again if there is room. Unused pages of the data file serve as well: the file never
   * shrinks, and may have taken the whole disk.
   */
  #tryToRestoreReserve(): boolean {
    const now = this.#options.clock.monotonic()
    if (now - this.#lastRestoreAt < RESTORE_INTERVAL_MS) return false
    this.#lastRestoreAt = now
    if (!this.#reserve.restore() && this.#dataFile.unused() < 2 * this.#reserve.bytes) return false
    this.#isReserveFreed = false
    this.#options.log?.info({ event: 'journal-write-recovered' }, 'the disk takes writes of the journal again')
    return true
  }
}

/** Bytes of an entry as LMDB stores it: whole pages of its own, or its share of a page. */
const storedBytes = ({ body, facts }: NewEntry): number => {
  let size = ENTRY_OVERHEAD_BYTES + body.byteLength
  for (const fact of Object.values(facts) as string[]) size += fact.length
  if (size > MAX_SHARED_PAGE_BYTES) return Math.ceil(size / PAGE_BYTES) * PAGE_BYTES
  const entriesPerPage = Math.floor(PAGE_BYTES / size)
  return Math.ceil(PAGE_BYTES / entriesPerPage)
}
