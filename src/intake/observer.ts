/** What intake tells the rest of the process: narrow, so that no stage knows how metrics, logs or status are made. */

/** As pino has them. */
export interface Log {
  debug(facts: object, message: string): void
  info(facts: object, message: string): void
  warn(facts: object, message: string): void
  error(facts: object, message: string): void
}

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
  requested(source: string, outcome: PullOutcome): void
  limit(source: string, limit: number): void
  /** Seconds from the last byte of an answer to its being durable. */
  custody(seconds: number): void
  state(source: string, state: PullState): void
}

export interface CallbackObserver {
  /** `source` is '' for requests that name none that exists, so that no caller can grow the label. */
  answered(source: string, code: number): void
  /** Seconds from the request's headers to its being durable. */
  custody(seconds: number): void
  /** The journal took an entry, or refused it with this error. */
  taken(): void
  refused(error: unknown): void
}
