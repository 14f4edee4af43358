import type { Clock } from './clock.js'
import type { Log } from './log.js'

/** Further causes within one outage are taken for variations of those that are logged. */
const MAX_LOGGED_CAUSES = 10

/**
 * Logs an outage with two lines, one when it begins and one when it ends, however often the operation is tried in
 * between. Another cause within the same outage is logged once as well.
 */
export class OutageLog {
  readonly #log: Log
  readonly #clock: Clock
  readonly #source: string
  readonly #activity: string
  readonly #loggedCauses = new Set<string>()
  #failedSince = 0
  #failures = 0
  #lastError: string | null = null

  /** @param activity what fails and works again, as the subject of the log's sentences: `pulling` */
  constructor(source: string, log: Log, clock: Clock, activity: string) {
    this.#source = source
    this.#activity = activity
    this.#log = log
    this.#clock = clock
  }

  /** The error of the present outage, as a sentence; null while there is none. */
  get lastError(): string | null {
    return this.#lastError
  }

  /**
   * Reports a failure: the first one begins an outage.
   * @param facts are logged, and don't distinguish one cause from another
   */
  failed(outcome: string, detail: string, facts: object = {}): void {
    if (this.#lastError === null) {
      this.#failedSince = this.#clock.monotonic()
      this.#failures = 0
    }
    this.#lastError = detail
    this.#failures++
    const cause = `${outcome} ${detail}`
    if (this.#loggedCauses.has(cause) || this.#loggedCauses.size >= MAX_LOGGED_CAUSES) return
    this.#loggedCauses.add(cause)
    this.#log.warn(
      { source: this.#source, ...facts, outcome, detail },
      `${this.#activity} fails and is retried with growing delays; this cause is logged once`,
    )
  }

  /** Reports a success, which ends the outage if there is one. */
  recovered(): void {
    if (this.#lastError === null) return
    const seconds = Math.round((this.#clock.monotonic() - this.#failedSince) / 1_000)
    this.#log.info({ source: this.#source, errors: this.#failures, seconds }, `${this.#activity} works again`)
    this.#lastError = null
    this.#loggedCauses.clear()
  }
}
