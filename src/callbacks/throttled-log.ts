import type { Clock } from '../core/clock.js'
import { messageOf } from '../core/errors.js'
import { LineLimiter } from '../core/line-limiter.js'
import type { Log } from '../core/log.js'
import { OutageLog } from '../core/outage-log.js'
import type { RejectionReason, SignatureKey } from './authentication.js'

/** The key below `sources.<source>.callback` that decides on each reason. */
const SETTINGS: Readonly<Record<RejectionReason, string>> = {
  address: 'allowFrom',
  token: 'token',
  credentials: 'basic',
  nonce: 'signingKey',
  'signature-missing': 'signingKey',
  'signature-wrong': 'signingKey',
  'signature-too-old': 'signatureMaxAge',
  'signature-from-the-future': 'signatureMaxAge',
  topic: 'topicArns',
}
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
  readonly #rejections: LineLimiter
  readonly #refusals: OutageLog

  constructor(log: Log, clock: Clock) {
    this.#log = log
    this.#rejections = new LineLimiter(clock)
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

  /**
   * Reports a callback that was answered 401.
   * @param signatureKey the key that the source's signatures are verified by
   */
  callbackRejected(source: string, reason: RejectionReason, signatureKey: SignatureKey = 'signingKey'): void {
    const counts = this.#rejections.next(`${source} ${reason}`)
    if (counts === null) return
    const key = SETTINGS[reason] === 'signingKey' ? signatureKey : SETTINGS[reason]
    const setting = `sources.${source}.callback.${key}`
    this.#log.warn(
      { event: 'callback-rejected', source, reason, setting, ...counts },
      `callbacks are rejected with 401; compare ${setting} with what the provider uses; this reason is logged at most once a minute`,
    )
  }

  /** Reports a callback that was answered 503 because of a fault of the connector. */
  callbackFailed(source: string, error: unknown): void {
    const counts = this.#rejections.next(`${source} internal-error`)
    if (counts === null) return
    this.#log.error(
      { event: 'callback-internal-error', source, err: error, ...counts },
      'a callback failed and was answered with 503; report it with this line; this is logged at most once a minute',
    )
  }

  /** Reports a callback that was answered 401 because its path names no source. The path may hold a token, so it is not logged. */
  unknownSourceRejected(): void {
    const reason = 'unknown-source'
    const counts = this.#rejections.next(reason)
    if (counts === null) return
    this.#log.warn(
      { event: 'callback-rejected', source: null, reason, ...counts },
      'callbacks are rejected with 401 because their path names none of sources; compare the address that the provider was given with ' +
        'the names under sources; this reason is logged at most once a minute',
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
