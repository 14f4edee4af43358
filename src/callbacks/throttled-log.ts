/**
 * What goes wrong with callbacks, said in the log seldom: a wrong token may be tried a thousand times a second, and a
 * full disk refuses every caller.
 */
import type { Clock } from '../core/clock.js'
import { messageOf } from '../core/errors.js'
import type { RejectionReason } from './authentication.js'
import type { Log } from '../core/log.js'

/** Milliseconds between two lines on the same flaw of the same source. */
const SILENCE = 60_000
/** Milliseconds without a refusal until that is over: near its limit a journal takes small entries and refuses large. */
const WELL_AGAIN = 5_000

export class ThrottledLog {
  readonly #log: Log
  readonly #clock: Clock
  readonly #flaws = new Map<string, { last: number; count: number }>()
  /** When the journal last refused; undefined while that is over. */
  #lastRefusal: number | undefined

  constructor(log: Log, clock: Clock) {
    this.#log = log
    this.#clock = clock
  }

  unauthorised(source: string, flaw: RejectionReason): void {
    const key = `${source} ${flaw}`
    const now = this.#clock.monotonic()
    const before = this.#flaws.get(key)
    if (before !== undefined && now - before.last < SILENCE) return void before.count++
    this.#flaws.set(key, { last: now, count: 0 })
    this.#log.warn(
      { source, flaw, ...(before === undefined ? {} : { sinceLastLine: before.count }) },
      'callbacks are refused with 401; said at most once a minute',
    )
  }

  /** The journal refused an entry. */
  refused(error: unknown): void {
    const before = this.#lastRefusal
    this.#lastRefusal = this.#clock.monotonic()
    if (before !== undefined) return
    this.#log.error({ error: messageOf(error) }, 'callbacks are refused with 503: the journal takes nothing')
  }

  /** The journal took an entry. */
  taken(): void {
    if (this.#lastRefusal === undefined || this.#clock.monotonic() - this.#lastRefusal < WELL_AGAIN) return
    this.#lastRefusal = undefined
    this.#log.info({}, 'callbacks are taken again')
  }
}
