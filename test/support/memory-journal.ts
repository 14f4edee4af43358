/**
 * A journal in memory, for tests of what stands before or behind it. It keeps the port's promises except durability,
 * and refuses, or holds its answer back, when told to.
 */
import { type Clock, systemClock } from '../../src/core/clock.js'
import { ConnectorError } from '../../src/core/errors.js'
import type {
  FirstSeen,
  Entry,
  Journal,
  JournalStats,
  NewEntry,
  Nonce,
  PublishedEvent,
  IndexUpdates,
  TopicProgress,
  WatchChange,
  WatchList,
  WatchedMessage,
} from '../../src/journal/journal.js'

export class MemoryJournal implements Journal {
  readonly id = 'memory'
  readonly entries: Entry[] = []
  readonly watchList: WatchList
  readonly topicProgress = new MemoryTopicProgress()
  readonly nonces = new Map<string, Nonce>()
  /** While set, every `append` rejects with this code. */
  refuses: 'JOURNAL_FULL' | 'JOURNAL_WRITE_FAILED' | undefined
  /** Bytes of answers that were asked for and are not here yet. */
  expected = 0
  /** What `hasRoomFor` answers. */
  room = true
  /** How often `append` was called, refused ones included. */
  attempts = 0
  #released = -1
  #seq = 0
  /** Whether a position has been read; see `recover`. */
  #verified = false
  #held: Promise<void> | undefined
  readonly #clock: Clock
  readonly #watched = new MemoryWatchList()
  readonly #seen = new Map<string, FirstSeen>()
  readonly #underWay = new Map<string, Promise<unknown>>()
  readonly #waiting = new Set<() => void>()

  /** @param clock says when a nonce has expired */
  constructor(clock: Clock = systemClock) {
    this.#clock = clock
    this.watchList = this.#watched
  }

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
    if (nonce === undefined) return this.#append(entry)
    for (let first; (first = this.#underWay.get(nonce.key)) !== undefined;) await first.catch(() => undefined)
    const used = this.nonces.get(nonce.key)
    if (used !== undefined && used.expiresAt > this.#clock.now()) {
      throw new ConnectorError('NONCE_SEEN', `nonce ${nonce.key} was used before`)
    }
    const write = this.#append(entry).finally(() => this.#underWay.delete(nonce.key))
    this.#underWay.set(nonce.key, write)
    const seq = await write
    this.nonces.set(nonce.key, nonce)
    return seq
  }

  async #append(entry: NewEntry): Promise<number> {
    await (this.#held ?? Promise.resolve())
    if (this.refuses !== undefined) throw new ConnectorError(this.refuses, `the journal refuses: ${this.refuses}`)
    const seq = ++this.#seq
    this.entries.push({ ...entry, body: new Uint8Array(entry.body), seq })
    for (const wake of this.#waiting) wake()
    return seq
  }

  refusalReason(): string | null {
    return this.refuses === undefined ? null : `the journal refuses: ${this.refuses}`
  }

  hasRoomFor(_bytes: number): boolean {
    return this.room && this.refuses === undefined
  }

  reserveRoom(bytes: number): () => void {
    this.expected += bytes
    return () => {
      this.expected -= bytes
    }
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

  get releasedUpTo(): number {
    return this.#released
  }

  async recover(position: number): Promise<number> {
    const covers = this.entries.some((entry) => entry.seq <= position)
    this.#seq = Math.max(this.#seq, position)
    if (!this.#verified && covers) {
      for (const entry of this.entries.splice(0)) this.entries.push({ ...entry, seq: ++this.#seq })
    }
    this.#verified = true
    return Math.max(position, this.#released)
  }

  async release(upTo: number, notes: IndexUpdates): Promise<void> {
    while (this.entries[0] !== undefined && this.entries[0].seq <= upTo) this.entries.shift()
    for (const { eventId, seq, place } of notes.occurrences) {
      if (!this.#seen.has(eventId)) this.#seen.set(eventId, { seq, place })
    }
    this.#watched.change(notes.watchChanges)
    this.#released = Math.max(this.#released, upTo)
  }

  async recordPublished(published: readonly PublishedEvent[], watch: readonly WatchChange[]): Promise<void> {
    for (const { eventId } of published) {
      if (!this.#seen.has(eventId)) this.#seen.set(eventId, { seq: -1, place: 0 })
    }
    this.#watched.change(watch)
  }

  findFirstSeen(eventId: string): FirstSeen | undefined {
    return this.#seen.get(eventId)
  }

  stats(): JournalStats {
    return {
      entries: this.entries.length,
      bytes: this.entries.reduce((sum, entry) => sum + entry.body.byteLength, 0),
      oldestReceivedAt: this.entries[0]?.receivedAt ?? null,
      idsForgottenEarly: 0,
    }
  }

  async close(): Promise<void> {}
}

class MemoryTopicProgress implements TopicProgress {
  readonly #followed = new Map<string, number>()

  followedUpTo(source: string): number {
    return this.#followed.get(source) ?? 0
  }

  async recordFollowedUpTo(source: string, time: number): Promise<void> {
    this.#followed.set(source, time)
  }
}

class MemoryWatchList implements WatchList {
  readonly #sources = new Map<string, Map<string, WatchedMessage>>()
  readonly #walks = new Map<string, number>()

  change(changes: readonly WatchChange[]): void {
    for (const { source, messageId, receivedAt, state } of changes) {
      if (state === 'closed') this.#list(source).delete(messageId)
      else if (!this.#list(source).has(messageId)) {
        this.#list(source).set(messageId, { messageId, since: receivedAt, lastAskedAt: 0 })
      }
    }
  }

  async add(source: string, messageIds: readonly string[], now: number): Promise<void> {
    for (const messageId of messageIds) {
      const list = this.#list(source)
      if (!list.has(messageId)) list.set(messageId, { messageId, since: now, lastAskedAt: 0 })
    }
  }

  list(source: string, behind?: string): Iterable<WatchedMessage> {
    const all = [...this.#list(source).values()].sort((a, b) => (a.messageId < b.messageId ? -1 : 1))
    return behind === undefined ? all : all.filter(({ messageId }) => messageId > behind)
  }

  has(source: string, messageId: string): boolean {
    return this.#list(source).has(messageId)
  }

  async markAsked(source: string, messageIds: readonly string[], at: number): Promise<void> {
    for (const messageId of messageIds) {
      const watched = this.#list(source).get(messageId)
      if (watched !== undefined) this.#list(source).set(messageId, { ...watched, lastAskedAt: at })
    }
  }

  async remove(source: string, messageIds: readonly string[]): Promise<void> {
    for (const messageId of messageIds) this.#list(source).delete(messageId)
  }

  lastScanStartedAt(source: string, log: string): number {
    return this.#walks.get(`${log} ${source}`) ?? 0
  }

  async recordScan(source: string, log: string, began: number): Promise<void> {
    this.#walks.set(`${log} ${source}`, began)
  }

  #list(source: string): Map<string, WatchedMessage> {
    const list = this.#sources.get(source) ?? new Map<string, WatchedMessage>()
    this.#sources.set(source, list)
    return list
  }
}
