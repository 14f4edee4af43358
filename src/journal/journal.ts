/**
 * The port of the journal: it holds every entry from the moment it is acknowledged to its sender until Kafka has its
 * events.
 *
 * One process holds a journal. Within it any number of callers may `append` at the same time, while `read`, `recover` and
 * `release` are called by the pipeline alone, one at a time.
 */
import type { Received } from '../core/received.js'

/**
 * Where an entry comes from that was in custody before and is handed in again. Its items keep the identity that they had.
 *
 * - `dead-letter`: the body of a dead letter, to be decoded again. The items get ids that follow from `eventId`. `reason` is the
 *   reason of the dead letter.
 * - `import`: an entry of another journal, which had the sequence number `seq` there. The items get the ids that they have in
 *   that journal. `place` says how much of it is published already, in the form of pipeline/place-in-entry.ts; absent if nothing is.
 */
export type EntryOrigin =
  | { readonly kind: 'dead-letter'; readonly eventId: string; readonly reason: string }
  | { readonly kind: 'import'; readonly journalId: string; readonly seq: number; readonly place?: string }

/** A request or an answer that is handed over for custody. */
export interface NewEntry extends Received {
  readonly source: string
  readonly provider: string
  /** The trace that the entry belongs to, as in `core/tracing.ts`; absent if it is not traced. */
  readonly traceparent?: string
  /** Absent for what was just received. */
  readonly origin?: EntryOrigin
}

/** An entry that was in custody before. */
export type EntryWithOrigin = NewEntry & { readonly origin: EntryOrigin }

/** Whether nobody else has these bytes: a page of a queue, which forgets what it hands out. */
export const isOnlyCopy = ({ via, origin }: NewEntry): boolean => via === 'PULL' && origin === undefined

export interface Entry extends NewEntry {
  /** The sequence number in this journal. It grows with each arrival and is never used twice. */
  readonly seq: number
}

/** Bounds of one read: a number of entries, and the sum of the bytes of their bodies. */
export interface ReadBounds {
  readonly entries: number
  readonly bytes: number
}

/** Where an identified item arrived first. Of two occurrences the later one is the duplicate. */
export interface FirstSeen {
  readonly seq: number
  /** The index of the item in its entry, counted from 0. */
  readonly itemIndex: number
}

/** An identified item that another replica has published. It is on a topic, whatever this journal holds. */
export interface PublishedEvent {
  readonly eventId: string
  /** Milliseconds since the epoch. The event id is remembered for a certain time from then on. */
  readonly receivedAt: number
}

/** An identified item of an entry. */
export interface EventOccurrence extends FirstSeen, PublishedEvent {}

/** How far topics have been read, by topic. A topic that is missing has not been read. */
export type TopicProgress = Readonly<Record<string, TopicOffsets>>

export interface TopicOffsets {
  /** A topic that is created again under the same name has another id. Null if the brokers tell none. */
  readonly topicId: string | null
  /** By partition: the offset behind the last record that was read. */
  readonly offsets: readonly number[]
}

/** A change of the watch list that follows from a receipt: `closed` if the receipt is final, `open` if it is not. */
export interface WatchChange {
  readonly source: string
  readonly messageId: string
  /** Milliseconds since the epoch. */
  readonly receivedAt: number
  readonly state: 'open' | 'closed'
}

/** What the journal keeps of entries after their release. It is written in the transaction that deletes them. */
export interface IndexUpdates {
  readonly occurrences: readonly EventOccurrence[]
  readonly watchChanges: readonly WatchChange[]
}

/** A value that one entry alone may use. It is written together with that entry, so a refused write uses up no nonce. */
export interface Nonce {
  readonly key: string
  /** Milliseconds since the epoch. */
  readonly expiresAt: number
}

export interface JournalStats {
  readonly entries: number
  /** Bytes that the entries take on the disk, approximately. */
  readonly bytes: number
  /**
   * When the oldest entry was received or, if it was in custody before, handed in; in milliseconds since the epoch. Null while
   * the journal is empty.
   */
  readonly oldestReceivedAt: number | null
  /** Event ids that this process deleted before their time because there were more than the configuration allows. */
  readonly idsForgottenEarly: number
}

/**
 * Why no callback can be taken into custody. `full`: `journal.maxBytes` is reached. `disk`: the disk refuses writes.
 * `file-missing`: the data file is not in its place. `unusable`: nothing can be written until a restart.
 */
export type CustodyRefusalCause = 'full' | 'disk' | 'file-missing' | 'unusable'

/** The room that is left for callbacks. */
export interface CustodyRoom {
  /** `journal.maxBytes` of the configuration. */
  readonly maxBytes: number
  /**
   * Bytes that entries can still take: what the limit leaves, or what the disk and the unused pages of the data file leave if
   * that is less. 0 while callbacks are refused.
   */
  readonly freeBytes: number
  /** A sentence that says why no callback can be taken into custody now; null while callbacks can. */
  readonly refusal: string | null
  /** Null exactly if `refusal` is. */
  readonly refusalCause: CustodyRefusalCause | null
}

/** A message on the watch list. Times are milliseconds since the epoch. */
export interface WatchedMessage {
  readonly messageId: string
  readonly since: number
  /** When the provider was last asked for it; 0 if never. */
  readonly lastAskedAt: number
}

/** How much of its limit the watch list takes. */
export interface WatchListUsage {
  readonly messages: number
  readonly maxMessages: number
  /** Messages that this process did not add because the list was full. */
  readonly notAdded: number
}

/** What the reconciler keeps across restarts. Each promise resolves once the change is durable. */
export interface WatchList {
  /**
   * Adds messages, or none of them if the list has no room for all.
   * @param since applies to the messages that are not on the list yet; milliseconds since the epoch
   */
  add(source: string, messageIds: readonly string[], since: number): Promise<void>
  /** Messages in a stable order. With `after`, only those behind that message id, which need not be on the list. */
  list(source: string, after?: string): Iterable<WatchedMessage>
  has(source: string, messageId: string): boolean
  /** Messages that are not on the list are ignored. */
  markAsked(source: string, messageIds: readonly string[], at: number): Promise<void>
  remove(source: string, messageIds: readonly string[]): Promise<void>
  /** When the last complete scan of one of the provider's message logs began; 0 if there was none. */
  lastScanStartedAt(source: string, log: string): number
  recordScan(source: string, log: string, startedAt: number): Promise<void>
}

export interface Journal {
  /** Made once with the journal. A position belongs to one journal (invariant 5). */
  readonly id: string

  /**
   * Takes an entry into custody. Resolves with its sequence number once the entry is durable, which means that fsync has
   * returned (invariant 1).
   * @throws ConnectorError JOURNAL_FULL or JOURNAL_WRITE_FAILED if the entry is not in custody; the sender must be told.
   *   NONCE_SEEN if the nonce has been used. JOURNAL_UNUSABLE if this journal cannot be written any more.
   */
  append(entry: NewEntry, nonce?: Nonce): Promise<number>

  /**
   * Takes entries that were in custody before into custody again, in their order: all of them in one transaction, with one fsync,
   * or none. Resolves once they are durable (invariant 1).
   * @throws ConnectorError JOURNAL_FULL or JOURNAL_WRITE_FAILED if none of them is in custody; JOURNAL_UNUSABLE
   */
  appendAll(entries: readonly EntryWithOrigin[]): Promise<void>

  /** A sentence that says why no callback can be taken into custody now; null while callbacks can. */
  refusalReason(): string | null

  /** Whether an answer of up to `bytes` would fit, both within the journal's limit and on the disk. */
  hasRoomFor(bytes: number): boolean

  /**
   * Reserves room on the disk for an answer of up to `bytes` that is about to be requested. Until the reservation ends,
   * `hasRoomFor` counts that room as taken.
   * @returns ends the reservation; to be called when the answer is in custody, or when none came
   */
  reserveRoom(bytes: number): () => void

  /**
   * Returns durable entries with sequence numbers above `after`, in their order. If there is any such entry, it returns at
   * least one, however large, and otherwise as many as fit the bounds.
   */
  read(after: number, bounds: ReadBounds): Entry[]

  /**
   * Resolves when there is an entry above `after`, or when the signal aborts.
   * @throws ConnectorError JOURNAL_UNUSABLE
   */
  waitForEntry(after: number, signal: AbortSignal): Promise<void>

  /** The last sequence number that was released; -1 before the first release. */
  readonly releasedUpTo: number

  /**
   * Takes in the position that the broker holds for this journal, -1 if it holds none. This must happen in every run
   * before anything is released. Entries that were appended before any run had read the position, and that lie at or
   * below it, are renumbered above it.
   * @param isInsideNext whether the broker also knows events of the entry behind the position; default: false
   * @returns the sequence number up to which entries are committed. They are decoded once more, for `release`.
   */
  recover(position: number, isInsideNext?: boolean): Promise<number>

  /** Deletes every entry up to and including `upTo`, and stores the updates, in one transaction. */
  release(upTo: number, updates: IndexUpdates): Promise<void>

  /**
   * Stores what was read from the topics, in one transaction, as if it had arrived before everything that this journal
   * holds. An event id that the journal knows already keeps its first occurrence. This may be called at any time, since
   * an event that is on a topic must not be published again.
   */
  recordPublished(published: readonly PublishedEvent[], watchChanges: readonly WatchChange[]): Promise<void>

  /** The first occurrence of an event id, for as long as the id is remembered. */
  findFirstSeen(eventId: string): FirstSeen | undefined

  /**
   * How far the topics have been read for a source; undefined if that is not known. A source that comes back to this replica
   * is read from there on.
   */
  topicProgress(source: string): TopicProgress | undefined

  /** Stores how far the topics have been read for each of the sources. Resolves once that is durable. */
  recordTopicProgress(sources: readonly string[], progress: TopicProgress): Promise<void>

  /**
   * The time up to which an earlier build has read the topics for a source, in milliseconds since the epoch; 0 if there is
   * none. Such builds stored a time instead of the progress.
   */
  followedUpTo(source: string): number

  readonly watchList: WatchList

  stats(): JournalStats

  custodyRoom(): CustodyRoom

  close(): Promise<void>
}
