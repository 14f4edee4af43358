/**
 * The port of the journal: what holds every item from the moment we say thank you until the broker has it.
 *
 * One process holds a journal. Inside it, any number of callers may `append` at once; `read`, `recover` and `release`
 * are called by the pipeline alone, one at a time.
 */
import type { RequestFacts } from '../core/received.js'
import type { Via } from '../core/event.js'

/** What is handed in for custody. */
export interface NewEntry {
  readonly source: string
  readonly provider: string
  readonly via: Via
  readonly receivedAt: number
  readonly facts: RequestFacts
  readonly body: Uint8Array
}

export interface Entry extends NewEntry {
  /** Its place in this journal; grows with each arrival, never used twice. */
  readonly seq: number
}

/** The first arrival of an identified item: what decides which of two is the duplicate. */
export interface FirstSeen {
  readonly seq: number
  /** Counts the items of one entry from 0. */
  readonly place: number
}

export interface EventOccurrence extends FirstSeen {
  readonly eventId: string
  readonly receivedAt: number
}

/** A message whose final receipt has not come, or has. */
export interface WatchChange {
  readonly source: string
  readonly messageId: string
  readonly receivedAt: number
  readonly state: 'open' | 'closed'
}

/** An identified item that another replica has published: it is on a topic, whatever this journal holds. */
export interface PublishedEvent {
  readonly eventId: string
  readonly receivedAt: number
}

/** What is remembered of released entries, written in the transaction that forgets them. */
export interface IndexUpdates {
  readonly occurrences: readonly EventOccurrence[]
  readonly watchChanges: readonly WatchChange[]
}

/** A nonce that may be used once: written with the entry, so that a refused write burns none. */
export interface Nonce {
  readonly key: string
  readonly expiresAt: number
}

export interface JournalStats {
  readonly entries: number
  readonly bytes: number
  readonly oldestReceivedAt: number | null
  /** Ids that were forgotten before their time, because there were too many, since this process began. */
  readonly idsForgottenEarly: number
}

/** A message that the reconciler asks for. Times are milliseconds since the epoch. */
export interface WatchedMessage {
  readonly messageId: string
  readonly since: number
  /** When it was last asked for; 0: never. */
  readonly lastAskedAt: number
}

/** What the reconciler keeps across restarts. Each call resolves once it is durable. */
export interface WatchList {
  /** @param since of those that are not on the list yet */
  add(source: string, messageIds: readonly string[], since: number): Promise<void>
  /** In an order that stays the same; only those behind a message id, on the list or not, where one is given. */
  list(source: string, behind?: string): Iterable<WatchedMessage>
  has(source: string, messageId: string): boolean
  markAsked(source: string, messageIds: readonly string[], at: number): Promise<void>
  remove(source: string, messageIds: readonly string[]): Promise<void>
  /** When the last complete scan of one of the provider's message logs began; 0 if there was none. */
  lastScanStartedAt(source: string, log: string): number
  recordScan(source: string, log: string, began: number): Promise<void>
}

/**
 * How far each source has been followed on the Kafka topics. It survives restarts, so that a source that comes back to
 * this replica is read from there on. Times are milliseconds since the epoch.
 */
export interface TopicProgress {
  /** Everything that was published for the source before this time has been read; 0 if the source was never followed. */
  followedUpTo(source: string): number
  /** Resolves once the time is durable. */
  recordFollowedUpTo(source: string, time: number): Promise<void>
}

export interface Journal {
  /** Made once with the journal. A position belongs to one journal (invariant 5). */
  readonly id: string

  /**
   * Takes an entry into custody. Resolves with its sequence number once it is durable: fsync done (invariant 1).
   * @throws ConnectorError JOURNAL_FULL, JOURNAL_WRITE_FAILED: nothing is in custody, say so to whoever handed it in;
   *   NONCE_SEEN: the nonce was used before
   */
  append(entry: NewEntry, nonce?: Nonce): Promise<number>

  /** Why nothing more can be taken into custody now, in a sentence; null while it can. */
  refusalReason(): string | null

  /** Whether an answer of up to `bytes` would find room, in the journal's limit and on the disk. */
  hasRoomFor(bytes: number): boolean

  /**
   * An answer of up to `bytes` has been asked for: others that are asked for meanwhile find so much less on the disk.
   * @returns to be called when it is in custody, or did not come
   */
  reserveRoom(bytes: number): () => void

  /** Durable entries behind `after` in order: at least one if there is any, else as many as fit the bounds. */
  read(after: number, bounds: { readonly entries: number; readonly bytes: number }): Entry[]

  /** Resolves when there is an entry behind `after`, or when the signal aborts. */
  waitForEntry(after: number, signal: AbortSignal): Promise<void>

  /** The last sequence number released; -1 before the first release. */
  readonly releasedUpTo: number

  /**
   * Called with the position that the broker holds for this journal (-1 for none), before anything is released in this
   * run. Returns the number up to which entries are committed: they are to be decoded once more for `release`.
   * Entries that were appended before any run had read this position and lie below it are renumbered above it.
   */
  recover(position: number): Promise<number>

  /** Forgets every entry up to and including `upTo`, and remembers the notes, in one transaction. */
  release(upTo: number, notes: IndexUpdates): Promise<void>

  /**
   * Remembers what was read from the topics, in one transaction: as if it had arrived before anything that this journal
   * holds. What it has seen itself stays as it is. Safe at any time: what is on a topic must not be published again.
   */
  recordPublished(published: readonly PublishedEvent[], watch: readonly WatchChange[]): Promise<void>

  /** The first arrival of an event id that is still remembered. */
  findFirstSeen(eventId: string): FirstSeen | undefined

  readonly watchList: WatchList
  readonly topicProgress: TopicProgress

  stats(): JournalStats
  close(): Promise<void>
}
