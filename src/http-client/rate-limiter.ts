import type { Clock } from '../core/clock.js'

/** Lets at most so many requests a second through to one API: one at a time, in the order of the calls. */
export class RateLimiter {
  readonly #intervalMs: number
  readonly #clock: Clock
  readonly #stopSignal: AbortSignal
  #previous: Promise<unknown> = Promise.resolve()
  /** When the next request may start, by the monotonic clock. */
  #nextStartAt = 0

  /** @param stopSignal ends every wait; the requests that were waiting are not made */
  constructor(perSecond: number, clock: Clock, stopSignal: AbortSignal) {
    this.#intervalMs = 1_000 / perSecond
    this.#clock = clock
    this.#stopSignal = stopSignal
  }

  /** Runs `request` when its turn comes and settles like it; resolves with undefined if the signal aborts before. */
  run<T>(request: () => Promise<T>): Promise<T | undefined> {
    const result = this.#previous.then(async () => {
      await this.#waitForTurn()
      if (this.#stopSignal.aborted) return undefined
      this.#nextStartAt = this.#clock.monotonic() + this.#intervalMs
      return request()
    })
    this.#previous = result.catch(() => undefined)
    return result
  }

  /** Starts no request for the next `ms` milliseconds. A longer pause that is already in force stays. */
  pause(ms: number): void {
    this.#nextStartAt = Math.max(this.#nextStartAt, this.#clock.monotonic() + ms)
  }

  async #waitForTurn(): Promise<void> {
    while (!this.#stopSignal.aborted) {
      const remainingMs = Math.ceil(this.#nextStartAt - this.#clock.monotonic())
      if (remainingMs <= 0) return
      await this.#clock.sleep(remainingMs, this.#stopSignal)
    }
  }
}
