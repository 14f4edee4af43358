/**
 * Empties one account's queue: asks for a page, takes it into custody, asks for the next; waits when the queue is
 * empty, and longer and longer when something is wrong. Each source has a poller with its own loop, connection, pace
 * and delays, so that no account slows another.
 *
 * A queue forgets what it hands out. From the moment a request is on the wire the answer exists nowhere else, so:
 * there must be room for the largest answer before asking; what arrives is handed to the journal as it came, complete
 * or not, before anything looks into it; and the next request waits until that is durable (invariant 1).
 */
import type { Clock } from '../core/clock.js'
import { messageOf } from '../core/errors.js'
import type { Journal, NewEntry } from '../journal/journal.js'
import type { Provider, PullAccount, PullProtocol, PullVerdict } from '../providers/provider.js'
import type { Received } from '../core/received.js'
import { Connection, type HttpAnswer, type ConnectionOptions } from '../http-client/connection.js'
import { Backoff } from '../core/retry.js'
import { parseRetryAfter } from '../http-client/retry-after.js'
import { appendWithRetry } from './append-with-retry.js'
import type { Log } from '../core/log.js'
import type { PullObserver, PullOutcome, PullState } from '../core/observers.js'
import { PageSizeController, type PageLimits } from './page-size-controller.js'
import { PullReport } from './pull-report.js'
import { answerFacts, isEmptyPage, describeRedirect } from '../http-client/answer.js'
import { OutageLog } from '../core/outage-log.js'

/** `sources.<source>.pull` of the configuration; times in ms, sizes in bytes. */
export interface PollerOptions extends ConnectionOptions {
  readonly source: string
  readonly account: PullAccount
  readonly limit: PageLimits
  readonly idleDelay: number
}

export interface PollerDeps {
  readonly provider: Provider & { readonly pull: PullProtocol }
  readonly journal: Pick<Journal, 'append' | 'hasRoomFor' | 'reserveRoom'>
  readonly clock: Clock
  readonly log: Log
  readonly observer: PullObserver
  /** In [0, 1); Math.random if left out. */
  readonly random?: () => number
}

/** How often a full journal is looked at again, in ms. */
const ROOM_CHECK = 1_000
/** Between two lines that say that there is no room, in ms. */
const SILENCE = 60_000

/** What a request came to: `wait` in ms before the next one. */
interface Step {
  readonly outcome: PullOutcome
  readonly wait: number
}

/** Milliseconds before the second attempt after an error. */
const FIRST_DELAY_MS = 1_000

export class Poller {
  readonly #options: PollerOptions
  readonly #deps: PollerDeps
  readonly #pace: PageSizeController
  readonly #backoff: Backoff
  readonly #trouble: OutageLog
  readonly #stopping = new AbortController()
  readonly #givingUp = new AbortController()
  #connection: Connection | undefined
  #loop: Promise<void> | undefined
  #waitSaidAt = -Infinity
  readonly #report: PullReport

  constructor(options: PollerOptions, deps: PollerDeps) {
    this.#options = options
    this.#deps = deps
    this.#pace = new PageSizeController(options.limit)
    this.#backoff = new Backoff({
      firstMs: FIRST_DELAY_MS,
      longestMs: options.idleDelay,
      random: deps.random ?? Math.random,
    })
    this.#trouble = new OutageLog(options.source, deps.log, deps.clock, 'pulling')
    this.#report = new PullReport(options.source, this.#pace, this.#trouble, deps)
  }

  /** Begins; once in a poller's life. */
  start(): void {
    this.#loop ??= this.#run()
  }

  /**
   * Asks no more. Resolves when the answer in hand, if any, is durable: a request that is not on the wire yet is taken
   * back, one that is has `timeout` left; then what has come of its answer goes to the journal like any cut answer.
   * @param giveUp cuts the answer at once, and lets go of a page that the journal refuses
   */
  async stop(giveUp?: AbortSignal): Promise<void> {
    this.#stopping.abort()
    const force = (): void => {
      this.#givingUp.abort()
      void this.#connection?.close()
    }
    if (giveUp?.aborted) force()
    giveUp?.addEventListener('abort', force)
    const stopped = new AbortController()
    const patience = this.#deps.clock.sleep(this.#options.timeout, stopped.signal).then(() => this.#connection?.close())
    await this.#connection?.cancelUnsent()
    await this.#loop
    stopped.abort()
    await patience
    giveUp?.removeEventListener('abort', force)
  }

  async #run(): Promise<void> {
    while (!this.#stopping.signal.aborted) {
      const step = await this.#roomThenStep()
      if (step === undefined) continue
      this.#deps.observer.requestEnded(this.#options.source, step.outcome)
      this.#deps.observer.pageSizeChanged(this.#options.source, this.#pace.limit)
      if (step.wait > 0) await this.#pause(step.outcome === 'empty' ? 'idle' : 'backing-off', step.wait)
    }
    await this.#hangUp()
    this.#report.say('stopped')
  }

  /** Nothing that goes wrong ends the loop: an account that is no longer asked loses its items after a month. */
  async #roomThenStep(): Promise<Step | undefined> {
    try {
      if (!(await this.#room()) || this.#stopping.signal.aborted) return undefined
      const here = this.#deps.journal.reserveRoom(this.#options.maxAnswer)
      return await this.#step().finally(here)
    } catch (error) {
      this.#deps.log.error({ source: this.#options.source, err: error }, 'unexpected error while pulling')
      return this.#failed('internal-error', messageOf(error))
    }
  }

  /** A page that was handed out must find room, so the largest one must fit before it is asked for. */
  async #room(): Promise<boolean> {
    const { journal, log, clock } = this.#deps
    const { source, maxAnswer } = this.#options
    let said = false
    while (!journal.hasRoomFor(maxAnswer)) {
      if (this.#stopping.signal.aborted) return false
      // Seldom: where Kafka is slower than the queue there is room, and none, and room again, by the second.
      const now = clock.monotonic()
      if (!said && now - this.#waitSaidAt >= SILENCE) {
        log.warn({ source, maxAnswer }, 'pulling waits: the journal has no room for an answer of maxAnswer bytes')
        this.#waitSaidAt = now
        said = true
      }
      await this.#pause('journal-full', ROOM_CHECK)
    }
    if (said) log.info({ source }, 'the journal has room again, pulling goes on')
    return true
  }

  async #step(): Promise<Step> {
    const { provider, clock } = this.#deps
    const { account } = this.#options
    const began = clock.monotonic()
    const limit = this.#pace.limit
    const request = provider.pull.request(account, limit)
    const url = new URL(request.url)
    this.#report.say('asking')
    this.#connection ??= new Connection(url.origin, this.#options)
    const answer = await this.#connection.send(request)
    if (answer.kind === 'none') {
      if (answer.wasSent) this.#pace.failed()
      else this.#pace.error()
      return this.#failed(answer.reason, answer.detail)
    }
    const entry: NewEntry = {
      source: this.#options.source,
      provider: provider.name,
      via: 'PULL',
      receivedAt: clock.now(),
      facts: answerFacts(answer, request.method, url, [account.password, account.username]),
      body: answer.body,
    }
    const verdict = await this.#keep(answer, entry)
    return this.#judge(answer, verdict, clock.monotonic() - began, url)
  }

  /** Custody first, understanding second: a page is on its way to the disk while it is looked at. */
  async #keep(answer: HttpAnswer, entry: NewEntry): Promise<PullVerdict> {
    if (isEmptyPage(answer)) return { kind: 'page', rows: 0 }
    if (answer.status >= 200 && answer.status <= 299) {
      const durable = this.#custody(entry)
      const verdict = this.#inspect(entry)
      await durable // invariant 1: the next request tells the provider that we have this page
      return verdict
    }
    const verdict = this.#inspect(entry)
    if (verdict.kind === 'page') await this.#custody(entry) // invariant 1
    return verdict
  }

  async #custody(entry: NewEntry): Promise<void> {
    const { clock, observer } = this.#deps
    const began = clock.monotonic()
    const taken = await appendWithRetry(entry, {
      ...this.#deps,
      giveUp: this.#givingUp.signal,
      refused: () => this.#report.say('journal-refuses'),
    })
    if (taken) observer.custodyTaken((clock.monotonic() - began) / 1_000)
  }

  #inspect(received: Received): PullVerdict {
    try {
      return this.#deps.provider.pull.inspect(received)
    } catch (error) {
      return { kind: 'not-a-page', detail: `the provider's reader failed: ${messageOf(error)}` }
    }
  }

  /** @param duration ms from the request to the answer being durable */
  #judge(answer: HttpAnswer, verdict: PullVerdict, duration: number, url: URL): Step {
    const asked = parseRetryAfter(answer.headers['retry-after'], this.#deps.clock.now())
    const rows = verdict.kind === 'page' ? verdict.rows : 0
    if (rows > 0) this.#report.page()
    if (answer.truncatedBy !== null) {
      this.#pace.failed()
      return this.#failed(
        'cut',
        `the answer was cut after ${answer.body.byteLength} bytes: ${answer.truncatedBy}`,
        asked,
      )
    }
    if (verdict.kind !== 'page') {
      this.#pace.error()
      return this.#failed(verdict.kind, verdict.detail + describeRedirect(answer, url), asked)
    }
    if (rows === 0 && (verdict.accountError !== undefined || answer.status > 299)) {
      this.#pace.error()
      return this.#failed('account-error', verdict.accountError ?? `HTTP ${answer.status} with an empty page`, asked)
    }
    this.#pace.page(rows, duration)
    this.#backoff.reset()
    if (verdict.accountError !== undefined) this.#trouble.failed('account-error', verdict.accountError)
    else this.#trouble.recovered()
    return rows > 0 ? { outcome: 'page', wait: 0 } : { outcome: 'empty', wait: this.#options.idleDelay }
  }

  #failed(outcome: PullOutcome, detail: string, asked = 0): Step {
    if (!this.#stopping.signal.aborted) this.#trouble.failed(outcome, detail)
    return { outcome, wait: this.#backoff.next(asked) }
  }

  /** The socket does not outlive a pause: see ask.ts. */
  async #pause(state: PullState['state'], wait: number): Promise<void> {
    await this.#hangUp()
    if (this.#stopping.signal.aborted) return
    this.#report.say(state, this.#deps.clock.now() + wait)
    await this.#deps.clock.sleep(wait, this.#stopping.signal)
  }

  async #hangUp(): Promise<void> {
    const connection = this.#connection
    this.#connection = undefined
    await connection?.close()
  }
}
