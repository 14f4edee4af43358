/**
 * What a source's reconciler says of itself. It asks three things of one account, side by side; a trouble begins with
 * the first that fails and is over when none does, so that a wrong key is one line in the log and not three.
 */
import type { Clock } from '../core/clock.js'
import type { Log } from '../core/log.js'
import type { ReconcileEndpoint, ReconcileObserver, ReconcileOutcome, ReconcileState } from '../core/observers.js'
import { OutageLog } from '../core/outage-log.js'

export class ReconcileReport {
  readonly #source: string
  readonly #clock: Clock
  readonly #observer: ReconcileObserver
  readonly #trouble: OutageLog
  readonly #failing = new Set<ReconcileEndpoint>()
  readonly #lastWalkAt: Record<'outbound' | 'inbound', number | null> = { outbound: null, inbound: null }
  #state: ReconcileState['state'] = 'ok'
  #since: number
  #journalFull = false
  #waiting = false
  #watched = 0
  #lastAnswerAt: number | null = null

  constructor(source: string, parts: { clock: Clock; log: Log; observer: ReconcileObserver }) {
    this.#source = source
    this.#clock = parts.clock
    this.#observer = parts.observer
    this.#trouble = new OutageLog(source, parts.log, parts.clock, 'reconciling')
    this.#since = parts.clock.now()
  }

  answered(endpoint: ReconcileEndpoint): void {
    this.#lastAnswerAt = this.#clock.now()
    this.#failing.delete(endpoint)
    if (this.#failing.size === 0) this.#trouble.recovered()
    this.requested(endpoint, 'answer')
  }

  failed(endpoint: ReconcileEndpoint, outcome: ReconcileOutcome, detail: string): void {
    this.#failing.add(endpoint)
    this.#trouble.failed(outcome, detail, { endpoint })
    this.requested(endpoint, outcome)
  }

  /** Of what ended neither well nor in trouble. */
  requested(endpoint: ReconcileEndpoint, outcome: ReconcileOutcome): void {
    this.#observer.requestEnded(this.#source, endpoint, outcome)
    this.say()
  }

  walked(log: 'outbound' | 'inbound'): void {
    this.#lastWalkAt[log] = this.#clock.now()
    this.say()
  }

  watched(messages: number): void {
    this.#watched = messages
    this.say()
  }

  journalFull(full: boolean): void {
    this.#journalFull = full
    this.say()
  }

  /** For what other replicas have published. */
  waiting(waiting: boolean): void {
    if (waiting === this.#waiting) return
    this.#waiting = waiting
    this.say()
  }

  say(stopped?: 'stopped'): void {
    const state = stopped ?? this.#now()
    if (state !== this.#state) this.#since = this.#clock.now()
    this.#state = state
    this.#observer.stateChanged(this.#source, {
      state,
      since: this.#since,
      watched: this.#watched,
      lastAnswerAt: this.#lastAnswerAt,
      lastWalkAt: { ...this.#lastWalkAt },
      lastError: this.#trouble.lastError,
    })
  }

  #now(): ReconcileState['state'] {
    if (this.#journalFull) return 'journal-full'
    if (this.#failing.size > 0) return 'failing'
    return this.#waiting ? 'waiting' : 'ok'
  }
}
