import type { Clock } from '../core/clock.js'
import { messageOf } from '../core/errors.js'
import type { Log } from '../core/log.js'
import { OutageLog } from '../core/outage-log.js'
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
  readonly #refusals: OutageLog

  constructor(log: Log, clock: Clock) {
    this.#log = log
    this.#clock = clock
    this.#refusals = new OutageLog(
      {
        failureEvent: 'custody-refused',
        recoveryEvent: 'custody-resumed',
        formatFailure: () => 'callbacks get 503 because the journal refuses entries',
        recovery: 'callbacks get 200 again because the journal accepts entries',
        recoversAfterMs: RECOVERED_AFTER_MS,
      },
      { log, clock },
    )
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
      {
        event: 'callback-rejected',
        source,
        reason,
        ...(previous === undefined ? {} : { sinceLastLine: previous.suppressed }),
      },
      'callbacks are rejected with 401; this reason is logged at most once a minute',
    )
  }

  /** Reports an entry that the journal refused. */
  journalRefused(error: unknown): void {
    const message = messageOf(error)
    // The message of a full journal contains the bytes that it holds, which differ each time.
    this.#refusals.failed(message.replaceAll(/\d+/g, '#'), message, { error: message })
  }

  /** Reports an entry that the journal accepted. */
  journalAccepted(): void {
    this.#refusals.recovered()
  }
}
