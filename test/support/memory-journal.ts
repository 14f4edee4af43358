/**
 * A journal in memory, for tests of the parts that use a journal. It keeps every promise of the port except durability. A
 * test can make it refuse entries, or hold its answers back.
 */
import { type Clock, systemClock } from '../../src/core/clock.js'
import { ConnectorError } from '../../src/core/errors.js'
import type {
  CustodyRefusalCause,
  CustodyRoom,
  Entry,
  EntryWithOrigin,
  FirstSeen,
  IndexUpdates,
  Journal,
  JournalStats,
  NewEntry,
  Nonce,
  PublishedEvent,
  ReadBounds,
  TopicProgress,
  WatchChange,
  WatchedMessage,
  WatchList,
} from '../../src/journal/journal.js'

export class MemoryJournal implements Journal {
  readonly id = 'memory'
  readonly entries: Entry[] = []
  readonly watchList = new MemoryWatchList()
  readonly #progress = new Map<string, TopicProgress>()
  readonly followedByEarlierBuild = new Map<string, number>()
  readonly nonces = new Map<string, Nonce>()
  /** While this is set, every `append` rejects with this code. */
  refuses: 'JOURNAL_FULL' | 'JOURNAL_WRITE_FAILED' | undefined
  /** What `custodyRoom` gives as the cause while something is refused. */
  refusalCause: CustodyRefusalCause = 'full'
  /** The limit that `custodyRoom` reports. Nothing is refused because of it. */
  maxBytes = 1024 ** 3
  /** The bytes for which room is reserved. */
  reservedBytes = 0
  /** What `hasRoomFor` returns while nothing is refused. */
  hasRoom = true
  /** How often `append` was called, refused calls included. */
  attempts = 0
  #releasedUpTo = -1
  #lastSeq = 0
  /** Whether `recover` has been called. */
  #isVerified = false
  /** While this is set, appends wait for it. */
  #hold: Promise<void> | undefined
  readonly #clock: Clock
  readonly #firstSeen = new Map<string, FirstSeen>()
  readonly #pendingNonces = new Map<string, Promise<unknown>>()
  readonly #settleWaiters = new Set<() => void>()

  /** @param clock decides when a nonce has expired */
  constructor(clock: Clock = systemClock) {
    this.#clock = clock
  }

  /** Lets no append become durable until the returned function is called. */
  hold(): () => void {
    let release = (): void => undefined
    this.#hold = new Promise((resolve) => {
      release = () => {
        this.#hold = undefined
        resolve()
      }
    })
    return release
  }

  async append(entry: NewEntry, nonce?: Nonce): Promise<number> {
    this.attempts++
    if (nonce === undefined) return this.#append(entry)
    const { key } = nonce
    while (this.#pendingNonces.has(key)) await this.#pendingNonces.get(key)?.catch(() => undefined)
    const used = this.nonces.get(key)
    if (used !== undefined && used.expiresAt > this.#clock.now()) {
      throw new ConnectorError('NONCE_SEEN', `nonce ${key} was used before`)
    }
    const write = this.#append(entry).finally(() => this.#pendingNonces.delete(key))
    this.#pendingNonces.set(key, write)
    const seq = await write
    this.nonces.set(key, nonce)
    return seq
  }

  async appendAll(entries: readonly EntryWithOrigin[]): Promise<void> {
    await Promise.all(entries.map((entry) => this.append(entry)))
  }

  async #append(entry: NewEntry): Promise<number> {
    await (this.#hold ?? Promise.resolve())
    if (this.refuses !== undefined) throw new ConnectorError(this.refuses, this.refusalReason()!)
    this.#lastSeq++
    this.entries.push({ ...entry, body: new Uint8Array(entry.body), seq: this.#lastSeq })
    for (const settleWaiter of this.#settleWaiters) settleWaiter()
    return this.#lastSeq
  }

  refusalReason(): string | null {
    return this.refuses === undefined ? null : `the journal refuses: ${this.refuses}`
  }

  hasRoomFor(_bytes: number): boolean {
    return this.hasRoom && this.refuses === undefined
  }

  reserveRoom(bytes: number): () => void {
    this.reservedBytes += bytes
    return () => {
      this.reservedBytes -= bytes
    }
  }

  read(after: number, bounds: ReadBounds): Entry[] {
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
      const settleIfPossible = (): void => {
        if (!signal.aborted && !this.entries.some((entry) => entry.seq > after)) return
        this.#settleWaiters.delete(settleIfPossible)
        signal.removeEventListener('abort', settleIfPossible)
        resolve()
      }
      this.#settleWaiters.add(settleIfPossible)
      signal.addEventListener('abort', settleIfPossible)
      settleIfPossible()
    })
  }

  get releasedUpTo(): number {
    return this.#releasedUpTo
  }

  async recover(position: number, isInsideNext = false): Promise<number> {
    const highestKnown = isInsideNext ? position + 1 : position
    const mustRenumber = !this.#isVerified && this.entries.some(({ seq }) => seq <= highestKnown)
    this.#isVerified = true
    this.#lastSeq = Math.max(this.#lastSeq, highestKnown)
    if (mustRenumber) {
      for (const entry of this.entries.splice(0)) {
        this.#lastSeq++
        this.entries.push({ ...entry, seq: this.#lastSeq })
      }
    }
    return Math.max(position, this.#releasedUpTo)
  }

  async release(upTo: number, { occurrences, watchChanges }: IndexUpdates): Promise<void> {
    while (this.entries[0] !== undefined && this.entries[0].seq <= upTo) this.entries.shift()
    for (const { eventId, seq, itemIndex } of occurrences) {
      if (!this.#firstSeen.has(eventId)) this.#firstSeen.set(eventId, { seq, itemIndex })
    }
    this.watchList.change(watchChanges)
    this.#releasedUpTo = Math.max(this.#releasedUpTo, upTo)
  }

  async recordPublished(published: readonly PublishedEvent[], watchChanges: readonly WatchChange[]): Promise<void> {
    for (const { eventId } of published) {
      if (!this.#firstSeen.has(eventId)) this.#firstSeen.set(eventId, { seq: -1, itemIndex: 0 })
    }
    this.watchList.change(watchChanges)
  }

  findFirstSeen(eventId: string): FirstSeen | undefined {
    return this.#firstSeen.get(eventId)
  }

  stats(): JournalStats {
    return {
      entries: this.entries.length,
      bytes: this.entries.reduce((sum, entry) => sum + entry.body.byteLength, 0),
      oldestReceivedAt: this.entries[0]?.receivedAt ?? null,
      idsForgottenEarly: 0,
    }
  }

  custodyRoom(): CustodyRoom {
    const refusal = this.refusalReason()
    const freeBytes = refusal === null ? this.maxBytes - this.stats().bytes : 0
    return { maxBytes: this.maxBytes, freeBytes, refusal, refusalCause: refusal === null ? null : this.refusalCause }
  }

  topicProgress(source: string): TopicProgress | undefined {
    return this.#progress.get(source)
  }

  async recordTopicProgress(sources: readonly string[], progress: TopicProgress): Promise<void> {
    for (const source of sources) this.#progress.set(source, progress)
  }

  followedUpTo(source: string): number {
    return this.followedByEarlierBuild.get(source) ?? 0
  }

  async close(): Promise<void> {}
}

class MemoryWatchList implements WatchList {
  readonly #sources = new Map<string, Map<string, WatchedMessage>>()
  readonly #scans = new Map<string, number>()

  change(changes: readonly WatchChange[]): void {
    for (const { source, messageId, receivedAt, state } of changes) {
      if (state === 'closed') this.#messagesOf(source).delete(messageId)
      else this.#add(source, messageId, receivedAt)
    }
  }

  async add(source: string, messageIds: readonly string[], since: number): Promise<void> {
    for (const messageId of messageIds) this.#add(source, messageId, since)
  }

  list(source: string, after?: string): Iterable<WatchedMessage> {
    const all = [...this.#messagesOf(source).values()].sort((a, b) => (a.messageId < b.messageId ? -1 : 1))
    return after === undefined ? all : all.filter(({ messageId }) => messageId > after)
  }

  has(source: string, messageId: string): boolean {
    return this.#messagesOf(source).has(messageId)
  }

  async markAsked(source: string, messageIds: readonly string[], at: number): Promise<void> {
    for (const messageId of messageIds) {
      const watched = this.#messagesOf(source).get(messageId)
      if (watched !== undefined) this.#messagesOf(source).set(messageId, { ...watched, lastAskedAt: at })
    }
  }

  async remove(source: string, messageIds: readonly string[]): Promise<void> {
    for (const messageId of messageIds) this.#messagesOf(source).delete(messageId)
  }

  lastScanStartedAt(source: string, log: string): number {
    return this.#scans.get(`${log} ${source}`) ?? 0
  }

  async recordScan(source: string, log: string, startedAt: number): Promise<void> {
    this.#scans.set(`${log} ${source}`, startedAt)
  }

  #add(source: string, messageId: string, since: number): void {
    const messages = this.#messagesOf(source)
    if (!messages.has(messageId)) messages.set(messageId, { messageId, since, lastAskedAt: 0 })
  }

  #messagesOf(source: string): Map<string, WatchedMessage> {
    const messages = this.#sources.get(source) ?? new Map<string, WatchedMessage>()
    this.#sources.set(source, messages)
    return messages
  }
}
