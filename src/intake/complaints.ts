/**
 * What goes wrong with callbacks, said in the log seldom: a wrong token may be tried a thousand times a second, and a
 * full disk refuses every caller.
 */
import type { Clock } from '../clock.js'
import { messageOf } from '../errors.js'
import type { Flaw } from './authentication.js'
import type { Log } from './observer.js'

/** Milliseconds between two lines on the same flaw of the same source. */
const SILENCE = 60_000

export class Complaints {
  readonly #log: Log
  readonly #clock: Clock
  readonly #flaws = new Map<string, { last: number; count: number }>()
  #refusing = false

  constructor(log: Log, clock: Clock) {
    this.#log = log
    this.#clock = clock
  }

  unauthorised(source: string, flaw: Flaw): void {
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
    if (this.#refusing) return
    this.#refusing = true
    this.#log.error({ error: messageOf(error) }, 'callbacks are refused with 503: the journal takes nothing')
  }

  /** The journal took an entry. */
  taken(): void {
    if (!this.#refusing) return
    this.#refusing = false
    this.#log.info({}, 'callbacks are taken again')
  }
}
