/** What a poller says of itself, for the status page. */
import type { Clock } from '../core/clock.js'
import type { PullObserver, PullState } from '../core/observers.js'
import type { PageSizeController } from './page-size-controller.js'
import type { OutageLog } from '../core/outage-log.js'

export class PullReport {
  readonly #source: string
  readonly #pace: PageSizeController
  readonly #trouble: OutageLog
  readonly #clock: Clock
  readonly #observer: PullObserver
  #state: PullState['state'] = 'stopped'
  #since = 0
  #lastPageAt: number | null = null

  constructor(
    source: string,
    pace: PageSizeController,
    trouble: OutageLog,
    parts: { clock: Clock; observer: PullObserver },
  ) {
    this.#source = source
    this.#pace = pace
    this.#trouble = trouble
    this.#clock = parts.clock
    this.#observer = parts.observer
  }

  /** A page with rows is in custody. */
  page(): void {
    this.#lastPageAt = this.#clock.now()
  }

  say(state: PullState['state'], nextAt: number | null = null): void {
    if (state !== this.#state) this.#since = this.#clock.now()
    this.#state = state
    this.#observer.stateChanged(this.#source, {
      state,
      since: this.#since,
      limit: this.#pace.limit,
      nextAt,
      lastError: this.#trouble.lastError,
      lastPageAt: this.#lastPageAt,
    })
  }
}
