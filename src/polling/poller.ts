/**
 * Empties the queue of one account. The poller requests a page, stores it, and requests the next one. It waits when the
 * queue is empty, and with growing delays when something is wrong. Each source has a poller with a loop, a connection, a
 * page size and delays of its own, so that no account slows another.
 *
 * A queue forgets what it hands out: once a request is on the wire, its answer exists nowhere else. Three rules follow.
 * The journal must have room for the largest answer before a page is requested. Whatever arrives is handed to the journal
 * as it came, complete or not and however it is framed, before it is decoded. The next request waits until that is durable
 * (invariant 1). An answer that does not arrive is lost, which is counted and stays visible.
 */
import type { PullConfig } from '../config/types.js'
import type { Clock } from '../core/clock.js'
import { messageOf } from '../core/errors.js'
import { orTimeout } from '../core/abort.js'
import type { Log } from '../core/log.js'
import type { LostAnswerReason, PullObserver, PullOutcome, PullState } from '../core/observers.js'
import { OutageLog } from '../core/outage-log.js'
import type { Received } from '../core/received.js'
import type { RequestSpan, Tracing } from '../core/tracing.js'
import { Backoff, retry } from '../core/retry.js'
import { answerFacts, describeRedirect, parseRetryAfter } from '../http-client/answer.js'
import { Connection, type HttpAnswer, type OutgoingRequest } from '../http-client/connection.js'
import type { ProxyServer } from '../http-client/settings.js'
import { readMalformedAnswer } from '../http-client/malformed-answer.js'
import type { Journal, NewEntry } from '../journal/journal.js'
import { quote } from '../masking/known-secrets.js'
import type { Provider, PullProtocol, PullInspection } from '../providers/provider.js'
import { PageSizeController } from './page-size-controller.js'

/** `sources.<source>.pull` of the configuration. Durations are in milliseconds, sizes in bytes. */
export interface PollerOptions extends PullConfig {
  /** The key under `sources`. */
  readonly source: string
  /** The proxy for the queue; a direct connection if it is left out. */
  readonly proxy?: ProxyServer | undefined
}

export interface PollerDeps {
  readonly provider: Provider & { readonly pull: PullProtocol }
  readonly journal: Pick<Journal, 'append' | 'hasRoomFor' | 'reserveRoom'>
  readonly clock: Clock
  readonly log: Log
  readonly observer: PullObserver
  readonly tracing?: Tracing | undefined
  /** Returns a number in [0, 1). The default is Math.random. */
  readonly random?: () => number
}

/** How often the poller checks whether a full journal has room again. */
const ROOM_CHECK_INTERVAL_MS = 1_000
/** The shortest time between two log lines that begin to report a full journal, or the same error of the account. */
const QUIET_MS = 60_000
/** The delay before the second attempt after an error. */
const FIRST_DELAY_MS = 1_000
/** The delays between attempts to append a page that the journal refuses. */
const FIRST_APPEND_DELAY_MS = 250
const LONGEST_APPEND_DELAY_MS = 5_000
/** With the longest delay, a page that is refused is logged about once a minute. */
const ATTEMPTS_PER_LOG_LINE = 12
/** An answer of this length or more is not compared with the text of an empty page. */
const MAX_EMPTY_PAGE_BYTES = 256

/** How one request ended, and how long the poller waits before the next one. */
interface PullResult {
  readonly outcome: PullOutcome
  readonly waitMs: number
}

export class Poller {
  readonly #options: PollerOptions
  readonly #deps: PollerDeps
  readonly #pageSize: PageSizeController
  readonly #backoff: Backoff
  readonly #outages: OutageLog
  readonly #noRoom: OutageLog
  readonly #stopping = new AbortController()
  readonly #forced = new AbortController()
  #connection: Connection | undefined
  /** The last request that was sent. */
  #request: OutgoingRequest | undefined
  /** The span of that request. */
  #span: RequestSpan | undefined
  #loop: Promise<void> = Promise.resolve()
  #state: PullState['state'] = 'stopped'
  /** When the poller entered its state. */
  #since = 0
  #lastPageAt: number | null = null
  /** How the last request that failed ended. */
  #failedOutcome: PullOutcome | null = null
  /** What the provider may have handed out and the journal does not have yet. */
  #inFlightItems = 0

  constructor(options: PollerOptions, deps: PollerDeps) {
    this.#options = options
    this.#deps = deps
    this.#pageSize = new PageSizeController(options.limit)
    this.#backoff = new Backoff({
      firstMs: FIRST_DELAY_MS,
      longestMs: options.idleDelay,
      random: deps.random ?? Math.random,
    })
    const facts = { source: options.source }
    this.#outages = new OutageLog(
      {
        failureEvent: 'pull-failed',
        recoveryEvent: 'pull-recovered',
        facts,
        formatFailure: () => 'pulling fails and is retried with growing delays',
        recovery: 'pulling works again',
        // An account may fail and recover every second.
        quietMs: QUIET_MS,
      },
      deps,
    )
    this.#noRoom = new OutageLog(
      {
        failureEvent: 'pull-paused',
        recoveryEvent: 'pull-continued',
        facts: { ...facts, maxAnswer: options.maxAnswer },
        formatFailure: () => 'pulling waits because the journal has no room for an answer of maxAnswer bytes',
        recovery: 'pulling continues because the journal has room again',
        // If Kafka is slower than the queue, room comes and goes every second; the log would be full of it.
        quietMs: QUIET_MS,
      },
      deps,
    )
  }

  /** Begins to poll. Called once. */
  start(): void {
    this.#loop = this.#run()
  }

  /**
   * Sends no further request, and resolves when the answer to the present one is durable. A request that is not on the
   * wire yet is cancelled. One that is has `timeout` left; then what has arrived of its answer is stored as a cut answer.
   * @param forceSignal aborts the answer at once, and gives up a page that the journal refuses
   * @param options with `waitsForAnswer`, the answer is read to its end however long it takes, as without a stop
   */
  async stop(
    forceSignal?: AbortSignal,
    { waitsForAnswer = false }: { readonly waitsForAnswer?: boolean } = {},
  ): Promise<void> {
    this.#stopping.abort()
    const force = (): void => {
      this.#forced.abort()
      this.#connection?.close()
    }
    if (forceSignal?.aborted) force()
    forceSignal?.addEventListener('abort', force)
    const timeoutMs = waitsForAnswer ? undefined : this.#options.timeout
    const loopOrTimeout = timeoutMs === undefined ? this.#loop : orTimeout(this.#loop, timeoutMs, this.#deps.clock)
    this.#connection?.cancelUnsent()
    if ((await loopOrTimeout) === 'timeout') this.#connection?.close()
    await this.#loop
    forceSignal?.removeEventListener('abort', force)
  }

  async #run(): Promise<void> {
    const { observer } = this.#deps
    const { source } = this.#options
    while (!this.#stopping.signal.aborted) {
      const result = await this.#pullWhenThereIsRoom()
      if (result === undefined) continue
      this.#inFlightItems = 0
      observer.requestEnded(source, result.outcome)
      observer.pageSizeChanged(source, this.#pageSize.pageSize)
      if (result.waitMs > 0) await this.#pause(result.outcome === 'empty' ? 'idle' : 'backing-off', result.waitMs)
    }
    await this.#closeConnection()
    this.#report('stopped')
  }

  /**
   * Never rejects, because no error may end the loop: a provider deletes the items of an account that is no longer polled,
   * Mtarget after a month. Resolves with undefined if the poller was stopped before it sent a request.
   */
  async #pullWhenThereIsRoom(): Promise<PullResult | undefined> {
    try {
      await this.#waitForRoom()
      if (this.#stopping.signal.aborted) return undefined
      const freeRoom = this.#deps.journal.reserveRoom(this.#options.maxAnswer)
      return await this.#pull().finally(freeRoom)
    } catch (error) {
      this.#deps.log.error(
        { event: 'pull-internal-error', source: this.#options.source, err: error },
        'pulling failed with an unexpected error',
      )
      return this.#fail('internal-error', messageOf(error))
    }
  }

  /** A page that was handed out must find room, so no page is requested before the largest one fits. */
  async #waitForRoom(): Promise<void> {
    while (!this.#deps.journal.hasRoomFor(this.#options.maxAnswer)) {
      if (this.#stopping.signal.aborted) return
      this.#noRoom.failed('no-room', 'the journal has no room for an answer')
      await this.#pause('journal-full', ROOM_CHECK_INTERVAL_MS)
    }
    this.#noRoom.recovered()
  }

  /** Resolves with undefined if the poller was stopped before it sent the request. */
  async #pull(): Promise<PullResult | undefined> {
    const { provider, clock, tracing } = this.#deps
    const options = this.#options
    await this.#storeLateAnswers()
    if (this.#stopping.signal.aborted) return undefined
    const startedAt = clock.monotonic()
    const request = provider.pull.request(options, this.#pageSize.pageSize)
    const { method, url } = request
    this.#span = tracing?.startProviderRequest({ source: options.source, provider: provider.name, method, url })
    this.#inFlightItems = this.#pageSize.pageSize
    this.#report('asking')
    this.#request = request
    this.#connection ??= new Connection(request.url, options)
    const answer = await this.#connection.send(request)
    if (answer.kind === 'none') {
      if (answer.wasSent) this.#pageSize.pageFailed()
      else this.#pageSize.requestFailed()
      if (answer.wasSent) this.#reportLoss(answer.reason, answer.detail)
      this.#span?.end({ status: null, outcome: answer.reason, error: answer.reason })
      return this.#fail(answer.reason, answer.detail)
    }
    const inspection = await this.#store(answer, this.#entryOf(answer, request))
    const result = this.#conclude(answer, inspection, clock.monotonic() - startedAt, new URL(url))
    const { outcome } = result
    const isSuccess = outcome === 'page' || outcome === 'empty'
    this.#span?.end({ status: answer.status, outcome, ...(!isSuccess && { error: outcome }) })
    return result
  }

  #entryOf(answer: HttpAnswer, { method, url }: OutgoingRequest): NewEntry {
    const { provider, clock } = this.#deps
    const { source, username, password } = this.#options
    return {
      source,
      provider: provider.name,
      via: 'PULL',
      receivedAt: clock.now(),
      facts: answerFacts(answer, method, new URL(url), [password, username]),
      body: answer.malformed?.bytes ?? answer.body,
      ...(this.#span && { traceparent: this.#span.traceparent }),
    }
  }

  /** Stores what must be kept of an answer, and resolves with what the answer is once it is durable. */
  async #store(answer: HttpAnswer, entry: NewEntry): Promise<PullInspection> {
    if (isEmptyPage(answer, this.#deps.provider.pull.emptyPage)) return { kind: 'page', rows: 0 }
    if (!isRefusal(answer)) {
      // The write is under way while the answer is inspected.
      const durable = this.#appendAndMeasure(entry)
      const inspection = this.#inspect(entry)
      await durable // Invariant 1: the next request tells the provider that the connector has this page.
      return inspection
    }
    const inspection = this.#inspect(entry)
    if (inspection.kind !== 'account-error') await this.#appendAndMeasure(entry) // Invariant 1, as above.
    return inspection
  }

  /** Stores what has arrived since the end of the last answer; it may be a part of a page. */
  async #storeLateAnswers(): Promise<void> {
    for (;;) {
      const answer = await this.#connection?.takeLateAnswer()
      if (!answer || this.#request === undefined) return
      const entry = this.#entryOf(answer, this.#request)
      const facts = { event: 'pull-late-bytes', source: entry.source, bytes: entry.body.byteLength } as const
      this.#deps.log.warn(
        facts,
        'bytes arrived after the end of an answer, and are kept; usually its Content-Length is too small: tell the provider',
      )
      await this.#appendAndMeasure(entry) // Invariant 1: they belong to a page that the provider has forgotten.
    }
  }

  /** Stores what arrives late, until the socket of the last answer is closed. */
  async #storeUntilClosed(connection: Connection): Promise<void> {
    while (await connection.untilLateBytes()) await this.#storeLateAnswers()
  }

  async #appendAndMeasure(entry: NewEntry): Promise<void> {
    const { clock, observer } = this.#deps
    const startedAt = clock.monotonic()
    const isDurable = await this.#appendWithRetry(entry)
    if (isDurable) observer.custodyTaken((clock.monotonic() - startedAt) / 1_000)
  }

  /**
   * Appends a page to the journal and retries until the journal accepts it. The provider has already forgotten the page, so
   * memory holds the only copy: it is dropped only when the shutdown is forced and one last attempt has failed.
   *
   * Resolves with true once the page is durable, and with false if it is lost. Never rejects.
   */
  async #appendWithRetry(entry: NewEntry): Promise<boolean> {
    const { journal, clock, log } = this.#deps
    const facts = { source: entry.source, bytes: entry.body.byteLength }
    const append = (): Promise<number> => journal.append(entry)
    let refusals = 0
    const shouldRetry = (error: unknown, attempts: number): boolean => {
      refusals = attempts
      this.#report('journal-refuses')
      if (attempts % ATTEMPTS_PER_LOG_LINE === 1) {
        log.error(
          { event: 'page-refused', ...facts, attempts, error: messageOf(error) },
          'the journal refuses a page that the provider has already forgotten; it is held in memory and retried: ' +
            'free space for the journal and do not kill this process',
        )
      }
      return true
    }
    const backoff = new Backoff({ firstMs: FIRST_APPEND_DELAY_MS, longestMs: LONGEST_APPEND_DELAY_MS })
    try {
      await retry(append, { clock, backoff, signal: this.#forced.signal, shouldRetry })
    } catch {
      // The retries end without success only when the shutdown is forced. One last attempt follows.
      try {
        await append()
      } catch (error) {
        const details = { event: 'page-lost', ...facts, attempts: refusals + 1, error: messageOf(error) } as const
        log.error(details, 'page LOST: the journal refused it until the shutdown')
        this.#reportLoss('journal-refuses', messageOf(error))
        return false
      }
    }
    if (refusals > 0) {
      log.info(
        { event: 'page-stored', ...facts, attempts: refusals + 1 },
        'the journal has accepted the page that it refused before',
      )
    }
    return true
  }

  #inspect(received: Received): PullInspection {
    const framingError = received.facts['framing-error']
    try {
      return framingError === undefined
        ? this.#deps.provider.pull.inspect(received)
        : this.#inspectMalformed(received, framingError)
    } catch (error) {
      return { kind: 'not-a-page', detail: `the provider's reader failed: ${messageOf(error)}` }
    }
  }

  /** The decoder will read each response in the answer, so together they are one page. */
  #inspectMalformed(received: Received, framingError: string): PullInspection {
    const { responses, unread } = readMalformedAnswer(received)
    const inspections = responses.map((response) => this.#deps.provider.pull.inspect(response.received))
    const pages = inspections.filter((inspection) => inspection.kind === 'page')
    const accountError = pages.find((page) => page.accountError !== undefined)?.accountError
    if (pages.length > 0) {
      const rows = pages.reduce((sum, page) => sum + page.rows, 0)
      // If other bytes are left, they may well be the rest of the page.
      const isCut = responses.length === 1 && unread.byteLength === 0 && pages[0]?.isCut === true
      return { kind: 'page', rows, ...(isCut && { isCut }), ...(accountError !== undefined && { accountError }) }
    }
    const details = inspections.map((inspection) => ('detail' in inspection ? inspection.detail : ''))
    return {
      kind: 'not-a-page',
      detail: ['the answer is kept, but it is malformed', framingError, ...details].join('; '),
    }
  }

  /** @param durationMs from the request until the answer was durable */
  #conclude(answer: HttpAnswer, inspection: PullInspection, durationMs: number, url: URL): PullResult {
    const retryAfterMs = parseRetryAfter(answer.headers['retry-after'], this.#deps.clock.now())
    const rows = inspection.kind === 'page' ? inspection.rows : 0
    if (rows > 0) this.#lastPageAt = this.#deps.clock.now()
    const isPageCut = 'isCut' in inspection && inspection.isCut
    const cutBy =
      answer.truncatedBy ?? (isPageCut ? 'the text of the page breaks off, although the answer is whole' : null)
    if (cutBy !== null) {
      this.#pageSize.pageFailed()
      this.#reportLoss('cut', cutBy)
      const detail = `the answer was cut after ${answer.body.byteLength} bytes: ${cutBy}`
      return this.#fail('cut', detail, retryAfterMs)
    }
    if (inspection.kind !== 'page') {
      this.#pageSize.requestFailed()
      const advice = isRefusedAccount(answer.status) ? this.#accountAdvice() : describeRedirect(answer, url, 'pull.url')
      return this.#fail(inspection.kind, quoteDetail(inspection.detail) + advice, retryAfterMs)
    }
    const accountError = inspection.accountError && quoteDetail(inspection.accountError) + this.#accountAdvice()
    if (rows === 0 && (accountError !== undefined || isErrorStatus(answer.status))) {
      this.#pageSize.requestFailed()
      return this.#fail('account-error', accountError ?? `HTTP ${answer.status} with an empty page`, retryAfterMs)
    }
    // A malformed answer ends only after a wait for more of its bytes, so its duration says nothing about the round trip.
    if (answer.malformed === null) this.#pageSize.pageStored(rows, durationMs)
    this.#backoff.reset()
    if (accountError === undefined) this.#outages.recovered()
    else this.#reportFailure('account-error', accountError)
    return rows > 0 ? { outcome: 'page', waitMs: 0 } : { outcome: 'empty', waitMs: this.#options.idleDelay }
  }

  /** Names what to check if the provider refuses the account. */
  #accountAdvice(): string {
    const section = `sources.${this.#options.source}.pull`
    return `; check ${section}.username and ${section}.password`
  }

  /** Reports an answer of which nothing, or not everything, has come into custody. */
  #reportLoss(reason: LostAnswerReason, detail: string): void {
    this.#deps.observer.answerLost(this.#options.source, reason, detail)
  }

  #fail(outcome: PullOutcome, detail: string, retryAfterMs = 0): PullResult {
    if (!this.#stopping.signal.aborted) this.#reportFailure(outcome, detail)
    return { outcome, waitMs: this.#backoff.next(retryAfterMs) }
  }

  #reportFailure(outcome: PullOutcome, detail: string): void {
    this.#failedOutcome = outcome
    this.#outages.failed(`${outcome} ${detail}`, detail, { outcome, detail })
  }

  /**
   * Waits. The socket is not used again, for the reason given in `http-client/connection.ts`, but it is read for a moment:
   * after an error, or an answer that its framing ended too early, the page itself may follow.
   */
  async #pause(state: PullState['state'], ms: number): Promise<void> {
    await this.#storeLateAnswers()
    if (this.#stopping.signal.aborted) return
    this.#report(state, this.#deps.clock.now() + ms)
    const connection = this.#connection
    const isStored = connection === undefined ? undefined : this.#storeUntilClosed(connection)
    await this.#deps.clock.sleep(ms, this.#stopping.signal)
    connection?.close()
    await isStored
  }

  /** @param nextAt when the next request is sent, in milliseconds since the epoch; null if that is not known */
  #report(state: PullState['state'], nextAt: number | null = null): void {
    const { clock, observer } = this.#deps
    if (state !== this.#state) this.#since = clock.now()
    this.#state = state
    observer.stateChanged(this.#options.source, {
      state,
      since: this.#since,
      limit: this.#pageSize.pageSize,
      inFlightItems: this.#inFlightItems,
      nextAt,
      lastError: this.#outages.lastError,
      lastErrorOutcome: this.#outages.lastError === null ? null : this.#failedOutcome,
      lastPageAt: this.#lastPageAt,
    })
  }

  async #closeConnection(): Promise<void> {
    await this.#storeLateAnswers()
    this.#connection?.close()
  }
}

/** Room for the words of the provider's reader and for what they quote of the answer. */
const MAX_DETAIL_CHARACTERS = 600
const quoteDetail = (detail: string): string => quote(detail, MAX_DETAIL_CHARACTERS)

/** Whether an answer is the page of an empty queue, without a content coding. It is the one answer that needs no custody. */
const isEmptyPage = ({ truncatedBy, malformed, headers, body }: HttpAnswer, emptyPage: string): boolean =>
  truncatedBy === null &&
  malformed === null &&
  headers['content-encoding'] === undefined &&
  body.byteLength < MAX_EMPTY_PAGE_BYTES &&
  Buffer.from(body.buffer, body.byteOffset, body.byteLength)
    .toString('latin1')
    .replaceAll(/[ \t\r\n]/g, '') === emptyPage

/** Whether an answer says by its HTTP status that the credentials are wrong or lack a right. */
const isRefusedAccount = (status: number | null): boolean => status === 401 || status === 403

const isErrorStatus = (status: number | null): boolean => status !== null && (status < 200 || status > 299)

/** Whether an answer says clearly that no page was handed out, unless its body is a page all the same. */
const isRefusal = ({ status, truncatedBy, malformed }: HttpAnswer): boolean =>
  isErrorStatus(status) && truncatedBy === null && malformed === null
