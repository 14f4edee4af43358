import type { Clock } from '../core/clock.js'
import { messageOf } from '../core/errors.js'
import type { Log } from '../core/log.js'
import type { RejectionReason } from './authentication.js'

/** The shortest time between two lines about the same reason at the same source. */
const REJECTION_LOG_INTERVAL_MS = 60_000
/**
 * How long no entry may be refused before the refusals are over. Near its limit a journal accepts small entries and
 * refuses large ones.
 */
const RECOVERED_AFTER_MS = 5_000

/**
 * Logs what goes wrong with callbacks, with few lines: a wrong token may be tried a thousand times a second, and a full
 * disk refuses every callback.
 */
export class ThrottledLog {
  readonly #log: Log
  readonly #clock: Clock
  readonly #rejections = new Map<string, { readonly loggedAt: number; suppressed: number }>()
  /** When the journal refused an entry for the last time; undefined once it accepts entries again. */
  #refusedAt: number | undefined

  constructor(log: Log, clock: Clock) {
    this.#log = log
    this.#clock = clock
  }

  /** Reports a callback that was answered 401. */
  callbackRejected(source: string, reason: RejectionReason): void {
    const key = `${source} ${reason}`
    const now = this.#clock.monotonic()
    const previous = this.#rejections.get(key)
    if (previous !== undefined && now - previous.loggedAt < REJECTION_LOG_INTERVAL_MS) {
      previous.suppressed++
      return
    }
    this.#rejections.set(key, { loggedAt: now, suppressed: 0 })
    this.#log.warn(
      { source, reason, ...(previous === undefined ? {} : { sinceLastLine: previous.suppressed }) },
      'callbacks are rejected with 401; this reason is logged at most once a minute',
    )
  }

  /** Reports an entry that the journal refused. */
  journalRefused(error: unknown): void {
    const isFirst = this.#refusedAt === undefined
    this.#refusedAt = this.#clock.monotonic()
    if (isFirst) this.#log.error({ error: messageOf(error) }, 'callbacks get 503 because the journal refuses entries')
  }

  /** Reports an entry that the journal accepted. */
  journalAccepted(): void {
    if (this.#refusedAt === undefined || this.#clock.monotonic() - this.#refusedAt < RECOVERED_AFTER_MS) return
    this.#refusedAt = undefined
    this.#log.info({}, 'callbacks get 200 again because the journal accepts entries')
  }
}
