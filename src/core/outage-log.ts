/**
 * Says once when an account begins to fail and once when it works again, however often it is tried in between. Another
 * cause in the meantime is said once too.
 */
import type { Clock } from './clock.js'
import type { Log } from './log.js'

/** More causes than this in one trouble are variations of the same. */
const CAUSES = 10

export class OutageLog {
  readonly #log: Log
  readonly #clock: Clock
  readonly #source: string
  readonly #doing: string
  readonly #causes = new Set<string>()
  #since = 0
  #errors = 0
  #now: string | null = null

  /** @param doing what fails and works again, as the log says it */
  constructor(source: string, log: Log, clock: Clock, doing = 'pulling') {
    this.#source = source
    this.#doing = doing
    this.#log = log
    this.#clock = clock
  }

  /** What is wrong now; null when nothing is. */
  get lastError(): string | null {
    return this.#now
  }

  /** @param more facts for the log; the same cause with other ones is still the same */
  failed(outcome: string, detail: string, more: object = {}): void {
    if (this.#now === null) {
      this.#since = this.#clock.monotonic()
      this.#errors = 0
    }
    this.#now = detail
    this.#errors++
    const cause = `${outcome} ${detail}`
    if (this.#causes.has(cause) || this.#causes.size >= CAUSES) return
    this.#causes.add(cause)
    this.#log.warn(
      { source: this.#source, ...more, outcome, detail },
      `${this.#doing} fails; said once, tried again with growing delay`,
    )
  }

  recovered(): void {
    if (this.#now === null) return
    const seconds = Math.round((this.#clock.monotonic() - this.#since) / 1_000)
    this.#log.info({ source: this.#source, errors: this.#errors, seconds }, `${this.#doing} works again`)
    this.#now = null
    this.#causes.clear()
  }
}
