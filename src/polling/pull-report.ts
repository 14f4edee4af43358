import type { Clock } from '../core/clock.js'
import type { PullObserver, PullState } from '../core/observers.js'
import type { OutageLog } from '../core/outage-log.js'
import type { PageSizeController } from './page-size-controller.js'

export interface PullReportDeps {
  readonly pageSize: PageSizeController
  readonly outages: OutageLog
  readonly clock: Clock
  readonly observer: PullObserver
}

/** Puts together what a poller reports for the status page. */
export class PullReport {
  readonly #source: string
  readonly #deps: PullReportDeps
  #state: PullState['state'] = 'stopped'
  #since = 0
  #lastPageAt: number | null = null

  constructor(source: string, deps: PullReportDeps) {
    this.#source = source
    this.#deps = deps
  }

  /** Notes that a page with rows is durable. The next report contains it. */
  pageStored(): void {
    this.#lastPageAt = this.#deps.clock.now()
  }

  /** @param nextAt when the next request is sent, in milliseconds since the epoch; null if that is not known */
  report(state: PullState['state'], nextAt: number | null = null): void {
    const { pageSize, outages, clock, observer } = this.#deps
    if (state !== this.#state) this.#since = clock.now()
    this.#state = state
    observer.stateChanged(this.#source, {
      state,
      since: this.#since,
      limit: pageSize.pageSize,
      nextAt,
      lastError: outages.lastError,
      lastPageAt: this.#lastPageAt,
    })
  }
}
