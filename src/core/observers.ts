/**
 * The interfaces through which the parts report what they do, and the states that they report. They are narrow, so that
 * no part knows how metrics, the log and the status page are made; `app/telemetry.ts` implements all of them.
 *
 * Unless a comment says otherwise, a `source` is a key under `sources` in the configuration, and a time is in
 * milliseconds since the epoch.
 */
import type { DeadLetter, Envelope, Event } from './event.js'

/** How one request to a provider's queue ended: the label `outcome` of `dlrmo_pull_requests_total`. */
export type PullOutcome =
  /** A complete page with rows. */
  | 'page'
  /** A complete page without rows: the queue is empty. */
  | 'empty'
  /**
   * The answer or the text of its page ended too early, it took longer than `timeout` to go on, or it exceeded `maxAnswer`.
   * What arrived is kept.
   */
  | 'cut'
  /** An answer that is not a page, and that has a 2xx status, is malformed or may hold rows. It becomes a dead letter. */
  | 'not-a-page'
  /** The provider refuses the account, or answers with another status than 2xx and no page. */
  | 'account-error'
  /** No byte of an answer arrived within `timeout`. */
  | 'timeout'
  /** No connection could be made, or it died before an answer arrived. */
  | 'network-error'
  /** The connector itself failed before or after the request. The log has the error. */
  | 'internal-error'

/**
 * Why an answer of a queue, or a part of it, is lost although the request was sent: the label `reason` of
 * `dlrmo_pull_answers_lost_total`. `timeout` and `network-error`: not a single byte arrived. `cut`: a part of it arrived
 * and is kept. `journal-refuses`: the journal did not accept the answer before a forced shutdown.
 */
export type LostAnswerReason = 'timeout' | 'network-error' | 'cut' | 'journal-refuses'

/** What a poller does at the moment, for the status page. */
export interface PullState {
  /** `asking`: a request is under way. The name is kept for readers of /status.json. */
  readonly state: 'asking' | 'idle' | 'backing-off' | 'journal-full' | 'journal-refuses' | 'stopped'
  /** When the poller entered this state. */
  readonly since: number
  /** The page size of the next request. */
  readonly limit: number
  /** The items that the request under way asks for: what is lost if the process dies now. 0 while none is under way. */
  readonly inFlightItems: number
  /** When the poller sends its next request; null while a request is under way or the time is not known. */
  readonly nextAt: number | null
  /** The error that the account has now, as a sentence; null while it works. */
  readonly lastError: string | null
  /** How the request ended that met this error; null while the account works. */
  readonly lastErrorOutcome: PullOutcome | null
  /** When the last page with rows became durable; null before the first. */
  readonly lastPageAt: number | null
}

export interface PullObserver {
  requestEnded(source: string, outcome: PullOutcome): void
  /** Called after each request with the page size of the next one. */
  pageSizeChanged(source: string, limit: number): void
  /** @param seconds from the last byte of an answer to its fsync in the journal */
  custodyTaken(seconds: number): void
  /**
   * Called for each answer that is lost, or of which a part is. The provider may have handed out a page with it.
   * @param detail what was met, as a clause
   */
  answerLost(source: string, reason: LostAnswerReason, detail: string): void
  stateChanged(source: string, state: PullState): void
}

/** What the reconciler queries: the status of messages, or the provider's log of messages sent or received. */
export type ReconcileEndpoint = 'status' | 'outbound' | 'inbound'

/** How one query of the reconciler ended: the label `outcome` of `dlrmo_reconcile_requests_total`. */
export type ReconcileOutcome =
  /** A complete answer. It is in custody, unless all of its items were known already. */
  | 'answer'
  /** An answer with a 2xx status that can't be read as one. It is kept and becomes a dead letter. */
  | 'not-an-answer'
  /** The provider refuses the account or the query, or answers with another status than 2xx. */
  | 'refused'
  /** The provider answers 429 or 503: the connector is to come back later. */
  | 'rate-limited'
  /** The connection died in the middle of the answer, or the answer exceeded its limit. */
  | 'cut'
  /** No byte of an answer arrived within the timeout. */
  | 'timeout'
  /** No connection could be made, or it died before an answer arrived. */
  | 'network-error'
  /** The answer was complete, and the journal refused it. */
  | 'journal-refuses'
  /** The connector itself failed. The log has the error. */
  | 'internal-error'

/** What a source's reconciler does at the moment, for the status page. */
export interface ReconcileState {
  /** `waiting` is for the group of replicas, or for the events that other replicas have published. */
  readonly state: 'ok' | 'failing' | 'journal-full' | 'waiting' | 'stopped'
  /** When the reconciler entered this state. */
  readonly since: number
  /** The number of messages on the watch list, as of the last round. */
  readonly watched: number
  /** When the last answer became durable; null before the first. */
  readonly lastAnswerAt: number | null
  /** When the last complete scan of each of the provider's logs ended; null before the first. The key is kept for readers of /status.json. */
  readonly lastWalkAt: Readonly<Record<'outbound' | 'inbound', number | null>>
  /** The error that the account has now, as a sentence; null while it works. */
  readonly lastError: string | null
}

export interface ReconcileObserver {
  requestEnded(source: string, endpoint: ReconcileEndpoint, outcome: ReconcileOutcome): void
  /** Called for an answer that is not kept, because each of its items is published or in the journal already. */
  knownItemsDropped(source: string, items: number): void
  /** Called for messages that are no longer queried although no final receipt has come. */
  messagesGivenUp(source: string, messages: number): void
  /** @param seconds from the last byte of an answer to its fsync in the journal */
  custodyTaken(seconds: number): void
  stateChanged(source: string, state: ReconcileState): void
}

/** Why a callback is refused: the label `reason` of `dlrmo_callbacks_refused_total`. */
export type CallbackRefusalReason =
  /** Answered with 401: the path names no source that takes callbacks. */
  | 'unknown-source'
  /** Answered with 401: the guard of the source that does not hold. */
  | 'address'
  | 'token'
  | 'credentials'
  | 'nonce'
  | 'signature-missing'
  | 'signature-wrong'
  | 'signature-too-old'
  | 'signature-from-the-future'
  /** Answered with 401: the topic of Amazon SNS that the message comes from is none of `topicArns`. */
  | 'topic'
  /** Answered with 404 and 405: this is no path for callbacks, or neither GET nor POST. */
  | 'path'
  | 'method'
  /**
   * Answered with 413: the body exceeds `callbacks.bodyLimit`. Answered with 401 where only the signature, which was not checked,
   * tells whether the caller may know that the source exists.
   */
  | 'body-too-large'
  /** Answered with 400, 408 or 413: Node's parser refuses the request, or its headers arrive too slowly or are too large. */
  | 'malformed'
  /**
   * Answered with 503, or with 429 if the caller has proved nothing: the bodies of the requests under way use all memory that is
   * set aside for them, and this one has to give way.
   */
  | 'no-memory'
  /** Answered with 429: too many requests of this address, which has proved nothing, were refused within a minute. */
  | 'too-many-requests'
  /** Answered with 429: there are too many connections, and nothing was proved on this one. */
  | 'too-many-connections'
  /** Answered with 503: the journal refuses the entry. */
  | 'journal-refuses'
  /** Answered with 503: a fault of the connector. */
  | 'internal-error'
  /** Answered with 503: the certificate that a message of Amazon SNS was signed with can't be fetched. */
  | 'certificate-unavailable'
  /** Answered with 503: the subscription of Amazon SNS that the message asks to confirm could not be confirmed. */
  | 'subscription-unconfirmed'

export interface CallbackObserver {
  /**
   * @param source is empty for a request that names no existing source, so that callers can't add values to the label
   * @param code the HTTP status of the answer
   * @param refusal is given for every callback that is refused
   */
  answered(source: string, code: number, refusal?: CallbackRefusalReason): void
  /** @param seconds from the headers of a request to its fsync in the journal */
  custodyTaken(seconds: number): void
}

/** Reports the outcome of each journal entry. */
export interface PipelineObserver {
  /**
   * Called for each item that is decoded, and again if it is decoded again. Left out if nothing uses it.
   * @param traceparent of the records of its entry; undefined if the entry is not traced
   */
  decoded?(event: Event, duplicate: boolean, traceparent?: string): void
  /** Called after a batch is committed in Kafka and released from the journal. */
  released(outcomes: readonly ItemOutcome[]): void
  /** @param seconds from sending the records to their acknowledgement by the broker */
  committed(records: number, seconds: number): void
  /** Called with the error whenever publishing has to wait, and with null when it goes on. */
  waiting(error: unknown): void
  /**
   * Called when the broker holds no position of this journal although entries were released before. Events that were
   * committed but not yet released are then published again.
   * @param released the last sequence number that was released
   */
  positionLost(released: number): void
  /**
   * Called when the broker holds a position inside an entry, and the entry does not decode to the items that were committed,
   * for example because its source is configured in another way since. The entry is published again from its beginning.
   */
  entryRepublished(entry: { readonly source: string; readonly seq: number }): void
  /**
   * Called when a replayed dead letter is released without being published, because it can't be known whether it was replayed
   * before. The dead letter stays on its topic.
   * @param reason a sentence
   */
  replayGivenUp(entry: { readonly source: string; readonly eventId: string }, reason: string): void
}

/** Reports what the broker demands of the publisher. */
export interface PublisherObserver {
  /**
   * Called when a broker asks for a pause because a quota is exceeded. Publishing waits that long.
   * @param ms the length of the pause
   */
  throttled(ms: number): void
}

/** A kind of telemetry that is exported by OTLP. */
export type TelemetrySignal = 'traces' | 'metrics' | 'logs'

/**
 * Why telemetry is not exported: the label `reason` of `dlrmo_telemetry_dropped_total`.
 *
 * - `queue-full`: more was recorded than the endpoint took.
 * - `export-failed`: the endpoint could not be reached, did not answer in time, or refused the export.
 * - `rejected`: the endpoint took the export, and refused a part of it.
 */
export const TELEMETRY_DROP_REASONS = ['queue-full', 'export-failed', 'rejected'] as const
export type TelemetryDropReason = (typeof TELEMETRY_DROP_REASONS)[number]

/** Reports whether telemetry reaches its OTLP endpoint. */
export interface TelemetryObserver {
  /** @param items spans, log records, or exports of all metrics */
  dropped(signal: TelemetrySignal, reason: TelemetryDropReason, items: number): void
  exportFailed(signal: TelemetrySignal, error: unknown): void
  exported(signal: TelemetrySignal): void
}

/** How one item of an entry ended. A page may hold 50,000 items, so this is kept small. */
export interface ItemOutcome extends Pick<Envelope, 'source' | 'via' | 'receivedAt'> {
  readonly kind: Event['kind'] | 'duplicate'
  /** What the dead letter is; null for the other kinds. */
  readonly deadLetter: DeadLetterSummary | null
  /** What became of an item of a dead letter that is replayed; absent for an item that was received. */
  readonly replay?: ReplayOutcome
}

/** A dead letter without what was received. */
export type DeadLetterSummary = Pick<DeadLetter, 'eventId' | 'reason' | 'detail'>

/**
 * How an item of a replayed dead letter ended: the label `outcome` of `dlrmo_replayed_items_total`.
 *
 * - `published`: it is on its topic now.
 * - `duplicate`: it was published before, by another replay or because it arrived in another way.
 * - `unreadable`: it still can't be read, or does not fit into a record. Its dead letter stays open.
 */
export type ReplayOutcome = 'published' | 'duplicate' | 'unreadable'

/**
 * The relation of this replica to the consumer group that divides the sources.
 *
 * - `waiting`: the replica waits for the first assignment of the group.
 * - `assigned`: the group has assigned sources to the replica.
 * - `disconnected`: the group no longer answers; the replica keeps the sources of its last assignment.
 * - `standalone`: the group has never answered; the replica polls every source.
 */
export type Membership = 'waiting' | 'assigned' | 'disconnected' | 'standalone'

export interface MembershipReport {
  readonly membership: Membership
  /** When the membership began. */
  readonly since: number
  /** Why the group can't be used, as a sentence; null while it can. */
  readonly reason: string | null
  /** The partitions of the sharing topic that the group has assigned to this replica. */
  readonly partitions: readonly number[]
}

/** Whether this replica has read what all replicas published. Reconciling waits until it has. */
export interface FollowingReport {
  readonly state: 'idle' | 'reading' | 'following' | 'waiting'
  /** Why reading the topics has to wait, as a sentence; null in the other states. */
  readonly reason: string | null
}

export interface FollowerObserver {
  /** Called for an event that two replicas have published, because it reached both at the same time. */
  publishedTwice(source: string): void
  followingChanged(report: FollowingReport): void
}

export interface SharingObserver extends FollowerObserver {
  membershipChanged(report: MembershipReport): void
  ownershipChanged(source: string, owned: boolean): void
  /** Called when this replica has stopped polling a source because another replica polls it. */
  pollingHandedOver(source: string): void
  /** Called each time when this process has stopped to poll, or to reconcile, a source. Other work may follow. */
  workStopped(source: string, kind: 'poll' | 'reconcile'): void
}
