import type { Clock } from '../core/clock.js'

const INTERVAL_MS = 60_000
/** How many callers are counted. Whoever has so many addresses is not held up by a limit for each of them. */
const MAX_CALLERS = 100_000

/** Counts how often each caller was refused within the present minute. */
export class RefusalCounter {
  readonly #clock: Clock
  readonly #counts = new Map<string, number>()
  #startedAt = -Infinity

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /**
   * Counts a refusal.
   * @param caller as `callerKey` returns it
   * @returns the refusals of this caller within the present minute; 1 for a caller that can't be counted any more
   */
  count(caller: string): number {
    const now = this.#clock.monotonic()
    if (now - this.#startedAt >= INTERVAL_MS) {
      this.#counts.clear()
      this.#startedAt = now
    }
    const count = (this.#counts.get(caller) ?? 0) + 1
    if (count > 1 || this.#counts.size < MAX_CALLERS) this.#counts.set(caller, count)
    return count
  }
}
