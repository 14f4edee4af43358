/**
 * Reports the state of one source's reconciler to metrics, status page and log.
 *
 * The three tasks of a reconciler use one account. An outage begins when the first of them fails and ends when none
 * fails any more, so that a wrong API key is logged once and not three times.
 */
import type { Clock } from '../core/clock.js'
import type { Log } from '../core/log.js'
import type { ReconcileEndpoint, ReconcileObserver, ReconcileOutcome, ReconcileState } from '../core/observers.js'
import { OutageLog } from '../core/outage-log.js'

/** The provider keeps one log of the messages that were sent, and one of those that were received. */
export type MessageLogDirection = Exclude<ReconcileEndpoint, 'status'>

export interface ReconcileReporterDeps {
  readonly clock: Clock
  readonly log: Log
  readonly observer: Pick<ReconcileObserver, 'requestEnded' | 'stateChanged'>
}

interface Conditions {
  /** The number of messages on the watch list. */
  readonly watched: number
  readonly isJournalFull: boolean
  /** Whether requests wait for the query gate that replicas share. */
  readonly isWaiting: boolean
}

/** The shortest time between two log lines that begin to report the same error: an account may fail and recover every second. */
const QUIET_MS = 60_000

export class ReconcileReporter {
  readonly #source: string
  readonly #deps: ReconcileReporterDeps
  readonly #outageLog: OutageLog
  readonly #failing = new Set<ReconcileEndpoint>()
  readonly #lastScanAt: Record<MessageLogDirection, number | null> = { outbound: null, inbound: null }
  #state: ReconcileState['state'] = 'ok'
  #since: number
  #conditions: Conditions = { watched: 0, isJournalFull: false, isWaiting: false }
  #lastAnswerAt: number | null = null

  constructor(source: string, deps: ReconcileReporterDeps) {
    this.#source = source
    this.#deps = deps
    this.#outageLog = new OutageLog(
      {
        failureEvent: 'reconcile-failed',
        recoveryEvent: 'reconcile-recovered',
        facts: { source },
        formatFailure: () => 'reconciling fails and is retried with growing delays',
        recovery: 'reconciling works again',
        quietMs: QUIET_MS,
      },
      deps,
    )
    this.#since = deps.clock.now()
  }

  reportAnswer(endpoint: ReconcileEndpoint): void {
    this.#lastAnswerAt = this.#deps.clock.now()
    this.#failing.delete(endpoint)
    if (this.#failing.size === 0) this.#outageLog.recovered()
    this.reportRequest(endpoint, 'answer')
  }

  reportFailure(endpoint: ReconcileEndpoint, outcome: ReconcileOutcome, detail: string): void {
    this.#failing.add(endpoint)
    this.#outageLog.failed(`${outcome} ${detail}`, detail, { endpoint, outcome, detail })
    this.reportRequest(endpoint, outcome)
  }

  /** Counts a request. Called alone, it neither begins nor ends an outage. */
  reportRequest(endpoint: ReconcileEndpoint, outcome: ReconcileOutcome): void {
    this.#deps.observer.requestEnded(this.#source, endpoint, outcome)
    this.report()
  }

  /** Reports that a scan of the whole log has ended. */
  reportScan(direction: MessageLogDirection): void {
    this.#lastScanAt[direction] = this.#deps.clock.now()
    this.report()
  }

  update(conditions: Partial<Conditions>): void {
    this.#conditions = { ...this.#conditions, ...conditions }
    this.report()
  }

  report(state: ReconcileState['state'] = this.#currentState()): void {
    if (state !== this.#state) this.#since = this.#deps.clock.now()
    this.#state = state
    this.#deps.observer.stateChanged(this.#source, {
      state,
      since: this.#since,
      watched: this.#conditions.watched,
      lastAnswerAt: this.#lastAnswerAt,
      lastWalkAt: { ...this.#lastScanAt },
      lastError: this.#outageLog.lastError,
    })
  }

  #currentState(): ReconcileState['state'] {
    if (this.#conditions.isJournalFull) return 'journal-full'
    if (this.#failing.size > 0) return 'failing'
    return this.#conditions.isWaiting ? 'waiting' : 'ok'
  }
}
