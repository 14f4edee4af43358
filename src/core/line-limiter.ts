import type { Clock } from './clock.js'
import { makeRoom } from './make-room.js'

/** The shortest time between two lines about the same thing. */
const INTERVAL_MS = 60_000
/** As many things are told apart. Those beyond share the interval of the oldest ones, which are forgotten. */
const MAX_KEYS = 1_000

/** Decides which of many equal events are logged: the first, and then one a minute, with the number of those in between. */
export class LineLimiter {
  readonly #clock: Clock
  readonly #lines = new Map<string, { readonly loggedAt: number; suppressed: number }>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /**
   * @param key tells one kind of event from another
   * @returns null if the event is not to be logged; else the facts that its line has beside others
   */
  next(key: string): { readonly sinceLastLine?: number } | null {
    const now = this.#clock.monotonic()
    const previous = this.#lines.get(key)
    if (previous !== undefined && now - previous.loggedAt < INTERVAL_MS) {
      previous.suppressed++
      return null
    }
    makeRoom(this.#lines, MAX_KEYS)
    this.#lines.set(key, { loggedAt: now, suppressed: 0 })
    return previous === undefined ? {} : { sinceLastLine: previous.suppressed }
  }
}
