/** What intake tells the rest of the process: narrow, so that no stage knows how metrics, logs or status are made. */
import type { Event, Via } from './event.js'

/** How one request to a destructive queue ended; the `outcome` label of `dlrmo_pull_requests_total`. */
export type PullOutcome =
  /** Rows, complete. */
  | 'page'
  /** A page without rows: the queue is empty. */
  | 'empty'
  /** The connection died or `maxAnswer` was reached on the way; what arrived is kept. */
  | 'cut'
  /** A 2xx that is no page; kept. */
  | 'not-a-page'
  /** The provider refuses the account, or answers with an error status. */
  | 'account-error'
  /** No byte for `timeout`. */
  | 'timeout'
  /** No connection, or it died before the answer. */
  | 'network-error'
  /** Something of ours failed before or after the request; the log says what. */
  | 'internal-error'

/** What a poller is doing, for the status page. Times are milliseconds since the epoch. */
export interface PullState {
  readonly state: 'asking' | 'idle' | 'backing-off' | 'journal-full' | 'journal-refuses' | 'stopped'
  readonly since: number
  /** Page size of the next request. */
  readonly limit: number
  /** When it asks next; null while it is asking, or can't say. */
  readonly nextAt: number | null
  /** What is wrong with the account now; null when nothing is. */
  readonly lastError: string | null
  /** When the last page with rows was in custody. */
  readonly lastPageAt: number | null
}

export interface PullObserver {
  requestEnded(source: string, outcome: PullOutcome): void
  pageSizeChanged(source: string, limit: number): void
  /** Seconds from the last byte of an answer to its being durable. */
  custodyTaken(seconds: number): void
  stateChanged(source: string, state: PullState): void
}

/** What the reconciler asks. */
export type ReconcileEndpoint = 'status' | 'outbound' | 'inbound'

/** How one of its requests ended; the `outcome` label of `dlrmo_reconcile_requests_total`. */
export type ReconcileOutcome =
  /** Complete; in custody, unless all of it was known. */
  | 'answer'
  /** A 2xx that is none; kept. */
  | 'not-an-answer'
  /** The provider refuses the account or the question, or answers with an error status. */
  | 'refused'
  /** 429, or 503: asked to come back later. */
  | 'rate-limited'
  /** The connection died on the way, or the answer was too long. */
  | 'cut'
  /** No byte for too long. */
  | 'timeout'
  /** No connection, or it died before the answer. */
  | 'network-error'
  /** The answer was complete, and the journal did not take it. */
  | 'journal-refuses'
  /** Something of ours failed; the log says what. */
  | 'internal-error'

/** How a source's reconciler is doing, for the status page. Times are milliseconds since the epoch. */
export interface ReconcileState {
  /** `waiting`: for the group, or for what other replicas have published. */
  readonly state: 'ok' | 'failing' | 'journal-full' | 'waiting' | 'stopped'
  readonly since: number
  /** Messages that are asked for, as of the last round. */
  readonly watched: number
  readonly lastAnswerAt: number | null
  /** When a complete walk of each of the provider's logs last ended. */
  readonly lastWalkAt: Readonly<Record<'outbound' | 'inbound', number | null>>
  /** What is wrong now; null when nothing is. */
  readonly lastError: string | null
}

export interface ReconcileObserver {
  requestEnded(source: string, endpoint: ReconcileEndpoint, outcome: ReconcileOutcome): void
  /** Items of an answer that was not kept because every one of them is published, or in the journal, already. */
  knownItemsDropped(source: string, items: number): void
  /** Messages that are asked for no more, without a final receipt. */
  messagesGivenUp(source: string, messages: number): void
  /** Seconds from the last byte of an answer to its being durable. */
  custodyTaken(seconds: number): void
  stateChanged(source: string, state: ReconcileState): void
}

export interface CallbackObserver {
  /** `source` is '' for requests that name none that exists, so that no caller can grow the label. */
  answered(source: string, code: number): void
  /** Seconds from the request's headers to its being durable. */
  custodyTaken(seconds: number): void
}

/** What happened to entries, for metrics, status and log. */
export interface PipelineObserver {
  /** Each item as it is prepared; again if it is prepared again. Absent where nobody wants to know. */
  decoded?(event: Event, duplicate: boolean): void
  /** Called after the commit and the release of a batch. */
  released(outcomes: readonly ItemOutcome[]): void
  /** Seconds from handing records over until the broker acknowledged them. */
  committed(records: number, seconds: number): void
  /** Publishing waits, with the reason; null when it goes on. */
  waiting(error: unknown): void
  /** The broker had a position of this journal once and has none now: what was not yet released is published again. */
  positionLost(released: number): void
}

/** What became of one item. Small: a page may have 50,000 of them. */
export interface ItemOutcome {
  readonly source: string
  readonly via: Via
  readonly kind: Event['kind'] | 'duplicate'
  /** Of a dead letter. */
  readonly reason: string | null
  readonly receivedAt: number
}

/**
 * How this replica stands to the group that divides the sources.
 *
 * `waiting`: for the group's first assignment. `assigned`: by the group. `disconnected`: the group no longer answers, and the
 * last assignment is kept. `standalone`: the group never answered, and every source is polled here.
 */
export type Membership = 'waiting' | 'assigned' | 'disconnected' | 'standalone'

export interface FollowerObserver {
  /** An event that is on a topic twice: two replicas had it at the same time. */
  publishedTwice(source: string): void
  /** `reason`: in a sentence, why reading waits. */
  followingChanged(state: 'idle' | 'reading' | 'following' | 'waiting', reason: string | null): void
}

/** For metrics and the status page. */
export interface SharingObserver extends FollowerObserver {
  membershipChanged(standing: Membership, since: number, reason: string | null, partitions: readonly number[]): void
  ownershipChanged(source: string, owned: boolean): void
  /** Polling has ended here; another replica does it. */
  pollingHandedOver(source: string): void
}
