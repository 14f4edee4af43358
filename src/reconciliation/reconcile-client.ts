/**
 * One account's API for all that the reconciler asks: one request at a time, at most so many a second, and each answer
 * in custody before anything follows from it (invariant 1).
 *
 * These reads take nothing away. So an answer that is refused, cut, or not taken by the journal is kept nowhere and
 * asked for again; and an answer is not kept either when every item in it is surely known, because the provider's log of
 * two days is read again each hour and hardly any of it is new.
 */
import { ConnectorError, messageOf } from '../core/errors.js'
import type { Journal, NewEntry } from '../journal/journal.js'
import type { Provider, ReconcileProtocol, ReconcileVerdict } from '../providers/provider.js'
import type { OutgoingRequest } from '../http-client/connection.js'
import { Connection, type HttpAnswer, type ConnectionOptions } from '../http-client/connection.js'
import { Backoff } from '../core/retry.js'
import { parseRetryAfter } from '../http-client/retry-after.js'
import type { Log } from '../core/log.js'
import type { ReconcileEndpoint, ReconcileObserver, ReconcileOutcome } from '../core/observers.js'
import { answerFacts, describeRedirect } from '../http-client/answer.js'
import { RateLimiter } from '../http-client/rate-limiter.js'
import { AnswerKeeper, type KeepDeps } from './answer-keeper.js'
import type { ReconcileReport } from './reconcile-report.js'

export interface ReconcileClientDeps extends KeepDeps {
  readonly provider: Provider & { readonly reconcile: ReconcileProtocol }
  readonly journal: Pick<Journal, 'append' | 'hasRoomFor' | 'watchList'>
  readonly log: Log
  readonly observer: ReconcileObserver
  /** In [0, 1); Math.random if left out. */
  readonly random?: () => number
}

export interface ApiOptions extends ConnectionOptions {
  readonly source: string
  readonly account: { readonly url: string; readonly apiKey: string }
  readonly requestsPerSecond: number
  /** The longest wait after errors, in ms. */
  readonly longestDelay: number
}

export type Asked =
  /** In custody, or nothing in it was new. */
  | {
      readonly kind: 'answer'
      readonly verdict: ReconcileVerdict & { readonly kind: 'answer' }
      readonly body: Uint8Array
    }
  /** This question is refused, and another may not be. */
  | { readonly kind: 'refused'; readonly detail: string }
  /** Ask again after `wait` ms. */
  | { readonly kind: 'failed'; readonly wait: number }
  /** There was nothing to ask, or it is the end. */
  | { readonly kind: 'nothing' }

const NOTHING: Asked = { kind: 'nothing' }
/** How often a full journal is looked at again, in ms. */
const ROOM_CHECK = 1_000
/** Ms of waiting that are not worth telling. */
const SOON = 1_000
/** A provider that asks to be left alone for longer is asked again after this, in ms. */
const LONGEST_PAUSE = 3_600_000

/** Milliseconds before the second attempt after an error. */
const FIRST_DELAY_MS = 1_000

export class ReconcileClient {
  readonly #options: ApiOptions
  readonly #deps: ReconcileClientDeps
  readonly #report: ReconcileReport
  readonly #stop: AbortSignal
  readonly #limit: RateLimiter
  readonly #backoffs: Readonly<Record<ReconcileEndpoint, Backoff>>
  readonly #keeper: AnswerKeeper
  #connection: Connection | undefined

  constructor(options: ApiOptions, deps: ReconcileClientDeps, report: ReconcileReport, stop: AbortSignal) {
    this.#options = options
    this.#deps = deps
    this.#report = report
    this.#stop = stop
    this.#limit = new RateLimiter(options.requestsPerSecond, deps.clock, stop)
    this.#keeper = new AnswerKeeper(deps, stop)
    this.#backoffs = { status: this.backoff(), outbound: this.backoff(), inbound: this.backoff() }
  }

  /** Waits as this account's errors are waited for. */
  backoff(): Backoff {
    return new Backoff({
      firstMs: FIRST_DELAY_MS,
      longestMs: this.#options.longestDelay,
      random: this.#deps.random ?? Math.random,
    })
  }

  /**
   * @param build called when the turn has come, so that what is asked is what is wanted then; undefined: nothing is
   */
  async ask(endpoint: ReconcileEndpoint, build: () => OutgoingRequest | undefined): Promise<Asked> {
    const asked = await this.#limit.run(async () => {
      await this.#room()
      await this.#knowledge()
      const request = this.#stop.aborted ? undefined : build()
      return request === undefined ? NOTHING : this.#exchange(endpoint, request)
    })
    return asked ?? NOTHING
  }

  /** @param asked ms that the provider asked us to wait, as a minimum */
  failed(
    endpoint: ReconcileEndpoint,
    outcome: ReconcileOutcome,
    detail: string,
    asked = 0,
  ): Asked & { kind: 'failed' } {
    const pause = Math.min(asked, LONGEST_PAUSE)
    const wait = Math.max(this.#backoffs[endpoint].next(), pause)
    this.#limit.pause(outcome === 'rate-limited' ? wait : pause)
    if (!this.#stop.aborted) this.#report.failed(endpoint, outcome, detail)
    return { kind: 'failed', wait }
  }

  /** Something of ours went wrong: the watch list could not be written, say. */
  unexpected(endpoint: ReconcileEndpoint, error: unknown): void {
    if (this.#stop.aborted) return
    const { source } = this.#options
    if (error instanceof ConnectorError) return this.#report.failed(endpoint, 'journal-refuses', messageOf(error))
    this.#deps.log.error({ source, endpoint, err: error }, 'unexpected error while reconciling')
    this.#report.failed(endpoint, 'internal-error', messageOf(error))
  }

  /** How many answers were held back and then not kept, so far; see `AnswerKeeper`. */
  get letGo(): number {
    return this.#keeper.letGo
  }

  /** Resolves when no answer is held back any more. */
  settle(): Promise<void> {
    return this.#keeper.settle()
  }

  /** Closes the socket; a request under way ends at once. */
  async end(): Promise<void> {
    await this.#connection?.close()
    await this.settle()
  }

  /** What is to be read again any time must not take the room of what comes once. */
  async #room(): Promise<void> {
    const { journal, clock, log } = this.#deps
    const { source, maxAnswer } = this.#options
    if (journal.hasRoomFor(maxAnswer)) return
    log.warn({ source }, 'reconciling waits: the journal has no room')
    this.#report.journalFull(true)
    while (!this.#stop.aborted && !journal.hasRoomFor(maxAnswer)) await clock.sleep(ROOM_CHECK, this.#stop)
    if (!this.#stop.aborted) log.info({ source }, 'the journal has room again, reconciling goes on')
    this.#report.journalFull(false)
  }

  async #knowledge(): Promise<void> {
    const { shared, clock } = this.#deps
    if (shared === undefined) return
    const known = new AbortController()
    void clock.sleep(SOON, known.signal).then(() => this.#report.waiting(!known.signal.aborted))
    await shared.ready(this.#stop)
    known.abort()
    this.#report.waiting(false)
  }

  async #exchange(endpoint: ReconcileEndpoint, request: OutgoingRequest): Promise<Asked> {
    const { provider, clock } = this.#deps
    const { source, account } = this.#options
    const url = new URL(request.url)
    this.#connection ??= new Connection(url.origin, this.#options)
    const answer = await this.#connection.send(request)
    if (this.#stop.aborted) return NOTHING
    if (answer.kind === 'none') return this.failed(endpoint, answer.reason, answer.detail)
    const wait = parseRetryAfter(answer.headers['retry-after'], clock.now())
    if (answer.status === 429 || answer.status === 503) {
      return this.failed(endpoint, 'rate-limited', `HTTP status ${answer.status}`, wait)
    }
    if (answer.truncatedBy !== null) {
      return this.failed(endpoint, 'cut', `cut after ${answer.body.byteLength} bytes: ${answer.truncatedBy}`, wait)
    }
    const entry: NewEntry = {
      source,
      provider: provider.name,
      via: 'QUERY',
      receivedAt: clock.now(),
      facts: answerFacts(answer, request.method, url, [account.apiKey]),
      body: answer.body,
    }
    const verdict = this.#inspect(entry)
    if (verdict.kind === 'refused') {
      const detail = verdict.detail + describeRedirect(answer, url, 'reconcile.url')
      if (verdict.about === 'account') return this.failed(endpoint, 'refused', detail, wait)
      this.#report.requested(endpoint, 'refused')
      return { kind: 'refused', detail }
    }
    return this.#keep(endpoint, entry, verdict, answer)
  }

  async #keep(
    endpoint: ReconcileEndpoint,
    entry: NewEntry,
    verdict: ReconcileVerdict & { readonly kind: 'answer' | 'not-an-answer' },
    { body }: HttpAnswer,
  ): Promise<Asked> {
    try {
      await this.#keeper.keep(entry)
    } catch (error) {
      return this.failed(endpoint, 'journal-refuses', messageOf(error))
    }
    if (verdict.kind === 'not-an-answer') return this.failed(endpoint, 'not-an-answer', verdict.detail)
    this.#backoffs[endpoint].reset()
    this.#report.answered(endpoint)
    return { kind: 'answer', verdict, body }
  }

  #inspect(entry: NewEntry): ReconcileVerdict {
    try {
      return this.#deps.provider.reconcile.inspect(entry)
    } catch (error) {
      return { kind: 'not-an-answer', detail: `the provider's reader failed: ${messageOf(error)}` }
    }
  }
}
