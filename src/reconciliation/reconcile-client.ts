/**
 * The client of one account's API. It sends one request at a time and at most `requestsPerSecond`, and it has each
 * answer durable in the journal before the caller acts on it (invariant 1).
 *
 * These requests remove nothing at the provider. An answer that is refused, cut short or not accepted by the journal is
 * therefore dropped and requested again. An answer in which every item is already known is not stored either: a log of
 * two days is read every hour, and hardly any of it is new.
 */
import type { ReconcileConfig } from '../config/types.js'
import { orTimeout } from '../core/abort.js'
import { ConnectorError, messageOf } from '../core/errors.js'
import type { Log } from '../core/log.js'
import type { ReconcileEndpoint, ReconcileObserver, ReconcileOutcome } from '../core/observers.js'
import { OutageLog } from '../core/outage-log.js'
import type { RequestSpan, Tracing } from '../core/tracing.js'
import { Backoff } from '../core/retry.js'
import { answerFacts, describeRedirect, parseRetryAfter } from '../http-client/answer.js'
import { Connection, type ConnectionOptions, type OutgoingRequest } from '../http-client/connection.js'
import type { ProxyServer } from '../http-client/settings.js'
import { RateLimiter } from '../http-client/rate-limiter.js'
import type { Journal, NewEntry } from '../journal/journal.js'
import { quote } from '../masking/known-secrets.js'
import type { Provider, ReconcileProtocol, ReconcileInspection } from '../providers/provider.js'
import { AnswerStore, type AnswerStoreDeps } from './answer-store.js'
import type { ReconcileReporter } from './reconcile-reporter.js'

export interface ReconcileClientDeps extends AnswerStoreDeps {
  readonly provider: Provider & { readonly reconcile: ReconcileProtocol }
  readonly journal: Pick<Journal, 'append' | 'hasRoomFor' | 'watchList'>
  readonly log: Log
  readonly observer: ReconcileObserver
  readonly reporter: ReconcileReporter
  readonly tracing?: Tracing | undefined
  /** Returns a number in [0, 1) for the jitter of delays; `Math.random` by default. */
  readonly random?: () => number
}

/** What the tasks of a reconciler work with. */
export interface ReconcileTaskDeps extends ReconcileClientDeps {
  readonly client: ReconcileClient
}

export interface ReconcilerOptions extends ReconcileConfig {
  readonly source: string
  /**
   * Milliseconds before now that a scan reaches back at most after a long absence. It must be shorter than the time for
   * which published items are remembered: older items would look new and be published twice.
   */
  readonly maxLookBackMs: number
  /** The proxy for the API; a direct connection if it is left out. */
  readonly proxy?: ProxyServer | undefined
  /** The default suits pages of a hundred rows. */
  readonly connection?: ConnectionOptions
}

type Inspection<K extends ReconcileInspection['kind']> = ReconcileInspection & { readonly kind: K }

/** A complete answer. Its items are in the journal, unless all of them were known already. */
export interface Answer {
  readonly kind: 'answer'
  readonly inspection: Inspection<'answer'>
  readonly body: Uint8Array
}

/** There is no usable answer. The caller waits `waitMs` milliseconds before its next request. */
export interface FailedQuery {
  readonly kind: 'failed'
  readonly waitMs: number
}

export type QueryResult =
  | Answer
  | FailedQuery
  /** The provider refused this request, but it may answer another one. */
  | { readonly kind: 'refused'; readonly detail: string }
  /** No request was sent: there was nothing to ask, or the reconciler is stopping. */
  | { readonly kind: 'skipped' }

const SKIPPED: QueryResult = { kind: 'skipped' }
/** How often a full journal is checked for room. */
const ROOM_CHECK_INTERVAL_MS = 1_000
/** The shortest time between two log lines that begin to report a full journal. */
const NO_ROOM_QUIET_MS = 60_000
/** Waiting for the query gate is reported only after this time, because short waits are normal. */
const REPORT_WAITING_AFTER_MS = 1_000
/** A longer `Retry-After` is shortened to this. */
const LONGEST_RETRY_AFTER_MS = 3_600_000
const FIRST_DELAY_MS = 1_000
/** Delays after errors grow up to `every`, but the longest delay stays between these bounds. */
const LONGEST_DELAY_MIN_MS = 10_000
const LONGEST_DELAY_MAX_MS = 300_000
const DEFAULT_CONNECTION: ConnectionOptions = { timeout: 30_000, maxAnswer: 16 * 1024 * 1024 }

export class ReconcileClient {
  readonly #options: ReconcilerOptions
  readonly #connectionOptions: ConnectionOptions
  readonly #deps: ReconcileClientDeps
  readonly #rateLimiter: RateLimiter
  readonly #backoffs: Readonly<Record<ReconcileEndpoint, Backoff>>
  readonly #answers: AnswerStore
  readonly #noRoom: OutageLog
  #connection: Connection | undefined

  constructor(options: ReconcilerOptions, deps: ReconcileClientDeps) {
    this.#options = options
    this.#connectionOptions = { ...(options.connection ?? DEFAULT_CONNECTION), proxy: options.proxy }
    this.#deps = deps
    this.#rateLimiter = new RateLimiter(options.requestsPerSecond, deps.clock, deps.stopSignal)
    this.#answers = new AnswerStore(deps)
    this.#noRoom = new OutageLog(
      {
        failureEvent: 'reconcile-paused',
        recoveryEvent: 'reconcile-continued',
        facts: { source: options.source },
        formatFailure: () => 'reconciling waits because the journal has no room for an answer',
        recovery: 'reconciling continues because the journal has room again',
        quietMs: NO_ROOM_QUIET_MS,
      },
      deps,
    )
    this.#backoffs = { status: this.createBackoff(), outbound: this.createBackoff(), inbound: this.createBackoff() }
  }

  /** Creates a backoff with the delays that this account uses after errors. */
  createBackoff(): Backoff {
    const longestMs = Math.min(Math.max(this.#options.every, LONGEST_DELAY_MIN_MS), LONGEST_DELAY_MAX_MS)
    return new Backoff({ firstMs: FIRST_DELAY_MS, longestMs, random: this.#deps.random ?? Math.random })
  }

  /**
   * Sends one request once the rate limit, the journal and the query gate permit it.
   * @param buildRequest called just before the request is sent, so that it reflects the state of that moment; returns
   *   undefined if there is nothing to ask
   */
  async query(endpoint: ReconcileEndpoint, buildRequest: () => OutgoingRequest | undefined): Promise<QueryResult> {
    const result = await this.#rateLimiter.run(async () => {
      await this.#waitForRoom()
      await this.#waitForQueryGate()
      const request = this.#deps.stopSignal.aborted ? undefined : buildRequest()
      return request === undefined ? SKIPPED : this.#exchange(endpoint, request)
    })
    return result ?? SKIPPED
  }

  /** Reports a failed request and computes the delay after it. @param retryAfterMs the delay that the provider asked for */
  recordFailure(endpoint: ReconcileEndpoint, outcome: ReconcileOutcome, detail: string, retryAfterMs = 0): FailedQuery {
    const pauseMs = Math.min(retryAfterMs, LONGEST_RETRY_AFTER_MS)
    const waitMs = Math.max(this.#backoffs[endpoint].next(), pauseMs)
    this.#rateLimiter.pause(outcome === 'rate-limited' ? waitMs : pauseMs)
    if (!this.#deps.stopSignal.aborted) this.#deps.reporter.reportFailure(endpoint, outcome, detail)
    return { kind: 'failed', waitMs }
  }

  /** Reports an error of the connector itself, for example a watch list that can't be written. */
  recordInternalError(endpoint: ReconcileEndpoint, error: unknown): void {
    if (this.#deps.stopSignal.aborted) return
    const { log, reporter } = this.#deps
    if (error instanceof ConnectorError) return reporter.reportFailure(endpoint, 'journal-refuses', messageOf(error))
    log.error(
      { event: 'reconcile-internal-error', source: this.#options.source, endpoint, err: error },
      'unexpected error while reconciling',
    )
    reporter.reportFailure(endpoint, 'internal-error', messageOf(error))
  }

  /** The number of answers so far that were deferred and then dropped; see `AnswerStore`. */
  get droppedAnswers(): number {
    return this.#answers.dropped
  }

  /** Resolves when every answer that is deferred now has been stored or dropped. */
  waitForDeferredAnswers(): Promise<void> {
    return this.#answers.waitForDeferred()
  }

  /** Closes the socket, which ends a request under way at once. */
  async close(): Promise<void> {
    this.#connection?.close()
    await this.waitForDeferredAnswers()
  }

  /** Answers that can be requested again must not take the room of callbacks and pages, which come only once. */
  async #waitForRoom(): Promise<void> {
    const { journal, clock, reporter, stopSignal } = this.#deps
    const hasRoom = (): boolean => journal.hasRoomFor(this.#connectionOptions.maxAnswer)
    if (hasRoom()) return this.#noRoom.recovered()
    reporter.update({ isJournalFull: true })
    while (!stopSignal.aborted && !hasRoom()) {
      this.#noRoom.failed('no-room', 'the journal has no room for an answer')
      await clock.sleep(ROOM_CHECK_INTERVAL_MS, stopSignal)
    }
    if (!stopSignal.aborted) this.#noRoom.recovered()
    reporter.update({ isJournalFull: false })
  }

  async #waitForQueryGate(): Promise<void> {
    const { queryGate, clock, reporter } = this.#deps
    if (queryGate === undefined) return
    const opened = queryGate.waitToQuery(this.#deps.stopSignal)
    const first = await orTimeout(opened, REPORT_WAITING_AFTER_MS, clock)
    if (first !== 'timeout') return
    reporter.update({ isWaiting: true })
    await opened
    reporter.update({ isWaiting: false })
  }

  async #exchange(endpoint: ReconcileEndpoint, request: OutgoingRequest): Promise<QueryResult> {
    const { provider, tracing } = this.#deps
    const { method, url } = request
    const span = tracing?.startProviderRequest({
      source: this.#options.source,
      provider: provider.name,
      method,
      url,
    })
    const result = await this.#sendAndStore(endpoint, request, span)
    const { kind } = result
    span?.end({ outcome: kind, ...(kind !== 'answer' && { error: kind }) })
    return result
  }

  async #sendAndStore(
    endpoint: ReconcileEndpoint,
    request: OutgoingRequest,
    span: RequestSpan | undefined,
  ): Promise<QueryResult> {
    const { provider, clock, reporter } = this.#deps
    const { source, apiKey } = this.#options
    const url = new URL(request.url)
    this.#connection ??= new Connection(request.url, this.#connectionOptions)
    // What an earlier answer left over can be asked for again, unlike a page of a queue.
    this.#connection.discardLateBytes()
    const answer = await this.#connection.send(request)
    if (this.#deps.stopSignal.aborted) return SKIPPED
    if (answer.kind === 'none') return this.recordFailure(endpoint, answer.reason, answer.detail)
    const retryAfterMs = parseRetryAfter(answer.headers['retry-after'], clock.now())
    if (answer.status === 429 || answer.status === 503) {
      return this.recordFailure(endpoint, 'rate-limited', `HTTP status ${answer.status}`, retryAfterMs)
    }
    if (answer.truncatedBy !== null) {
      const detail = `cut after ${answer.body.byteLength} bytes: ${answer.truncatedBy}`
      return this.recordFailure(endpoint, 'cut', detail, retryAfterMs)
    }
    const entry: NewEntry = {
      source,
      provider: provider.name,
      via: 'QUERY',
      receivedAt: clock.now(),
      // The body is the most probable reading of a malformed answer, not all of its bytes.
      facts: answerFacts({ ...answer, malformed: null }, request.method, url, [apiKey]),
      body: answer.body,
      ...(span && { traceparent: span.traceparent }),
    }
    const inspection = this.#inspect(entry)
    if (inspection.kind !== 'refused') return this.#store(endpoint, entry, inspection)
    const detail = quoteDetail(inspection.detail) + describeRedirect(answer, url, 'reconcile.url')
    if (inspection.about === 'account') {
      // A server that fails says nothing about the key.
      const isServerError = answer.status !== null && answer.status >= 500
      const advice = isServerError ? '' : `; see sources.${this.#options.source}.reconcile.url and apiKey`
      return this.recordFailure(endpoint, 'refused', detail + advice, retryAfterMs)
    }
    reporter.reportRequest(endpoint, 'refused')
    return { kind: 'refused', detail }
  }

  async #store(
    endpoint: ReconcileEndpoint,
    entry: NewEntry,
    inspection: Inspection<'answer' | 'not-an-answer'>,
  ): Promise<QueryResult> {
    try {
      await this.#answers.store(entry)
    } catch (error) {
      return this.recordFailure(endpoint, 'journal-refuses', messageOf(error))
    }
    if (inspection.kind === 'not-an-answer')
      return this.recordFailure(endpoint, 'not-an-answer', quoteDetail(inspection.detail))
    this.#backoffs[endpoint].reset()
    this.#deps.reporter.reportAnswer(endpoint)
    return { kind: 'answer', inspection, body: entry.body }
  }

  #inspect(entry: NewEntry): ReconcileInspection {
    try {
      return this.#deps.provider.reconcile.inspect(entry)
    } catch (error) {
      return { kind: 'not-an-answer', detail: `the provider's decoder failed: ${messageOf(error)}` }
    }
  }
}

/** Room for the words of the provider's reader and for what they quote of the answer. */
const MAX_DETAIL_CHARACTERS = 600
const quoteDetail = (detail: string): string => quote(detail, MAX_DETAIL_CHARACTERS)
