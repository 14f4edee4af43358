import type { Clock } from './clock.js'
import { formatElapsedTime } from './elapsed-time.js'
import { isEventOf, type LogEvent } from './log-events.js'
import type { Log } from './log.js'

export interface OutageLogDeps {
  readonly log: Log
  readonly clock: Clock
}

export interface OutageLogOptions {
  /** Facts of every line, for example the source. */
  readonly facts?: object
  /** The event of the lines about the outage, which also decides their level. */
  readonly failureEvent: LogEvent<'warn'> | LogEvent<'error'>
  /** The event of the line that says that the outage is over. */
  readonly recoveryEvent: LogEvent<'info'>
  /** Returns what fails and what happens meanwhile, as a clause without a full stop. */
  readonly formatFailure: (detail: string) => string
  /** Says that the outage is over. */
  readonly recovery: string
  /**
   * An outage that begins within this time after the last line is logged only if it lasts longer, or if its cause is new.
   * For conditions that may come and go every second. The default is 0.
   */
  readonly quietMs?: number
  /** An outage is over when nothing has failed for this time. The default is 0: any success ends it. */
  readonly recoversAfterMs?: number
}

/** How often the log repeats that an outage lasts. */
const REMINDER_INTERVAL_MS = 300_000
/** The shortest time between two lines about the same cause, where causes alternate. */
const CAUSE_INTERVAL_MS = 60_000
/** Further causes between two reminders are taken for variations of those that are logged. */
const MAX_LOGGED_CAUSES = 10
/** As above, of outages that begin in the quiet time. */
const MAX_QUIET_CAUSES = 20

/**
 * Logs an outage, however often the operation is tried in between: when it begins, when its cause changes, every few
 * minutes while it lasts, and when it ends.
 */
export class OutageLog {
  readonly #deps: OutageLogDeps
  readonly #options: OutageLogOptions
  /** When each cause was logged, since the last reminder or the last quiet time. */
  readonly #causes = new Map<string, number>()
  #loggedCause: string | undefined
  #loggedAt = -Infinity
  #failedSince = 0
  #failedAt = 0
  #failures = 0
  /** The outages that began and ended in the quiet time, since the last line. */
  #unloggedOutages = 0
  #lastError: string | null = null

  constructor(options: OutageLogOptions, deps: OutageLogDeps) {
    this.#options = options
    this.#deps = deps
  }

  /** The error of the present outage, as a sentence; null while there is none. */
  get lastError(): string | null {
    return this.#lastError
  }

  /**
   * Reports a failure: the first one begins an outage. While the outage lasts, it is to be reported again at least every
   * few minutes, because reminders are logged then.
   * @param cause distinguishes one cause from another, and is not logged
   * @param detail the cause as a sentence
   * @param facts are logged
   */
  failed(cause: string, detail: string, facts: object = {}): void {
    const now = this.#deps.clock.monotonic()
    if (this.#lastError === null) {
      this.#failedSince = now
      this.#failures = 0
    }
    this.#lastError = detail
    this.#failedAt = now
    this.#failures++
    if (!this.#shouldLog(cause, now)) return
    const hasChanged = this.#loggedCause !== undefined && this.#loggedCause !== cause
    this.#loggedCause = cause
    this.#loggedAt = now
    this.#causes.set(cause, now)
    this.#logFailure(hasChanged, now - this.#failedSince, detail, facts)
  }

  /**
   * Reports a success, which ends the outage if there is one.
   * @param message replaces `recovery`
   * @param event replaces `recoveryEvent`
   */
  recovered(message = this.#options.recovery, event = this.#options.recoveryEvent): void {
    const now = this.#deps.clock.monotonic()
    if (this.#lastError === null || now - this.#failedAt < (this.#options.recoversAfterMs ?? 0)) return
    const isLogged = this.#loggedCause !== undefined
    this.#lastError = null
    this.#loggedCause = undefined
    if (!isLogged) {
      this.#unloggedOutages++
      return
    }
    const seconds = Math.round((now - this.#failedSince) / 1_000)
    this.#deps.log.info({ event, ...this.#options.facts, errors: this.#failures, seconds }, message)
  }

  #shouldLog(cause: string, now: number): boolean {
    const sinceLastLine = now - this.#loggedAt
    if (this.#loggedCause === undefined) {
      if (sinceLastLine < (this.#options.quietMs ?? 0)) {
        return !this.#causes.has(cause) && this.#causes.size < MAX_QUIET_CAUSES
      }
      this.#causes.clear()
      return true
    }
    if (sinceLastLine >= REMINDER_INTERVAL_MS) {
      this.#causes.clear()
      return true
    }
    if (cause === this.#loggedCause) return false
    const causeLoggedAt = this.#causes.get(cause)
    if (causeLoggedAt === undefined) return this.#causes.size < MAX_LOGGED_CAUSES
    return now - causeLoggedAt >= CAUSE_INTERVAL_MS
  }

  #logFailure(hasChanged: boolean, ms: number, detail: string, facts: object): void {
    const { failureEvent: event, formatFailure, facts: outageFacts } = this.#options
    const seconds = Math.round(ms / 1_000)
    const progress = this.#failures === 1 ? {} : { errors: this.#failures, seconds }
    const unlogged = this.#unloggedOutages === 0 ? {} : { unloggedOutages: this.#unloggedOutages }
    this.#unloggedOutages = 0
    const parts = [
      formatFailure(detail),
      ...(hasChanged ? ['the cause has changed'] : []),
      ...(seconds === 0 ? [] : [`this has lasted for ${formatElapsedTime(seconds)}`]),
    ]
    const allFacts = { ...outageFacts, ...facts, ...progress, ...unlogged }
    if (isEventOf('error', event)) this.#deps.log.error({ event, ...allFacts }, parts.join('; '))
    else this.#deps.log.warn({ event, ...allFacts }, parts.join('; '))
  }
}
