/**
 * A journal in memory, for tests of what stands before or behind it. It keeps the port's promises except durability,
 * and refuses, or holds its answer back, when told to.
 */
import { ConnectorError } from '../../src/errors.js'
import type {
  Arrival,
  Entry,
  Journal,
  JournalStats,
  NewEntry,
  Nonce,
  ReleaseNotes,
  WatchList,
  Watched,
} from '../../src/journal/journal.js'

export class MemoryJournal implements Journal {
  readonly id = 'memory'
  readonly entries: Entry[] = []
  readonly watchList: WatchList = new MemoryWatchList()
  readonly nonces = new Map<string, Nonce>()
  /** While set, every `append` rejects with this code. */
  refuses: 'JOURNAL_FULL' | 'JOURNAL_WRITE_FAILED' | undefined
  /** What `hasRoomFor` answers. */
  room = true
  /** How often `append` was called, refused ones included. */
  attempts = 0
  #released = -1
  #seq = 0
  #held: Promise<void> | undefined
  readonly #seen = new Map<string, Arrival>()
  readonly #waiting = new Set<() => void>()

  /** From now on nothing becomes durable until the returned function is called. */
  hold(): () => void {
    let letGo = (): void => {}
    this.#held = new Promise((resolve) => {
      letGo = () => {
        this.#held = undefined
        resolve()
      }
    })
    return () => letGo()
  }

  async append(entry: NewEntry, nonce?: Nonce): Promise<number> {
    this.attempts++
    await (this.#held ?? Promise.resolve())
    if (this.refuses !== undefined) throw new ConnectorError(this.refuses, `the journal refuses: ${this.refuses}`)
    if (nonce !== undefined) {
      if (this.nonces.has(nonce.key)) throw new ConnectorError('NONCE_SEEN', `nonce ${nonce.key} was used before`)
      this.nonces.set(nonce.key, nonce)
    }
    const seq = ++this.#seq
    this.entries.push({ ...entry, body: Uint8Array.from(entry.body), seq })
    for (const wake of this.#waiting) wake()
    return seq
  }

  refusal(): string | null {
    return this.refuses === undefined ? null : `the journal refuses: ${this.refuses}`
  }

  hasRoomFor(_bytes: number): boolean {
    return this.room
  }

  read(after: number, bounds: { readonly entries: number; readonly bytes: number }): Entry[] {
    const found: Entry[] = []
    let bytes = 0
    for (const entry of this.entries) {
      if (entry.seq <= after) continue
      bytes += entry.body.byteLength
      if (found.length > 0 && (found.length >= bounds.entries || bytes > bounds.bytes)) break
      found.push(entry)
    }
    return found
  }

  waitForEntry(after: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const look = (): void => {
        if (!signal.aborted && !this.entries.some((entry) => entry.seq > after)) return
        this.#waiting.delete(look)
        signal.removeEventListener('abort', look)
        resolve()
      }
      this.#waiting.add(look)
      signal.addEventListener('abort', look)
      look()
    })
  }

  get released(): number {
    return this.#released
  }

  async recover(position: number): Promise<number> {
    if (position > this.#seq) this.#seq = position
    return Math.max(position, this.#released)
  }

  async release(upTo: number, notes: ReleaseNotes): Promise<void> {
    while (this.entries[0] !== undefined && this.entries[0].seq <= upTo) this.entries.shift()
    for (const { eventId, seq, place } of notes.seen) {
      if (!this.#seen.has(eventId)) this.#seen.set(eventId, { seq, place })
    }
    this.#released = Math.max(this.#released, upTo)
  }

  firstArrival(eventId: string): Arrival | undefined {
    return this.#seen.get(eventId)
  }

  stats(): JournalStats {
    return {
      entries: this.entries.length,
      bytes: this.entries.reduce((sum, entry) => sum + entry.body.byteLength, 0),
      oldestReceivedAt: this.entries[0]?.receivedAt ?? null,
    }
  }

  async close(): Promise<void> {}
}

class MemoryWatchList implements WatchList {
  readonly #sources = new Map<string, Map<string, Watched>>()

  async add(source: string, messageIds: readonly string[], now: number): Promise<void> {
    for (const messageId of messageIds) {
      const list = this.#list(source)
      if (!list.has(messageId)) list.set(messageId, { messageId, since: now, asked: 0 })
    }
  }

  of(source: string): Iterable<Watched> {
    return [...this.#list(source).values()]
  }

  async asked(source: string, messageIds: readonly string[], at: number): Promise<void> {
    for (const messageId of messageIds) {
      const watched = this.#list(source).get(messageId)
      if (watched !== undefined) this.#list(source).set(messageId, { ...watched, asked: at })
    }
  }

  async drop(source: string, messageIds: readonly string[]): Promise<void> {
    for (const messageId of messageIds) this.#list(source).delete(messageId)
  }

  #list(source: string): Map<string, Watched> {
    const list = this.#sources.get(source) ?? new Map<string, Watched>()
    this.#sources.set(source, list)
    return list
  }
}
