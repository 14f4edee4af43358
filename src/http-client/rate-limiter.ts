/** At most so many requests a second to one API, one at a time, in the order in which they were asked for. */
import type { Clock } from '../core/clock.js'

export class RateLimiter {
  readonly #interval: number
  readonly #clock: Clock
  readonly #stop: AbortSignal
  #last: Promise<unknown> = Promise.resolve()
  /** By the monotonic clock. */
  #next = 0

  /** @param stop ends every wait; what waits then has its turn without anything to do */
  constructor(perSecond: number, clock: Clock, stop: AbortSignal) {
    this.#interval = 1_000 / perSecond
    this.#clock = clock
    this.#stop = stop
  }

  /** Runs `request` when its turn has come; resolves with what it does, undefined when stopped before. */
  run<T>(request: () => Promise<T>): Promise<T | undefined> {
    const turn = this.#last.then(async () => {
      for (let wait = this.#wait(); wait > 0 && !this.#stop.aborted; wait = this.#wait()) {
        await this.#clock.sleep(wait, this.#stop)
      }
      if (this.#stop.aborted) return undefined
      this.#next = this.#clock.monotonic() + this.#interval
      return request()
    })
    this.#last = turn.catch(() => undefined)
    return turn
  }

  /** No turn begins for this long. @param ms from now */
  pause(ms: number): void {
    this.#next = Math.max(this.#next, this.#clock.monotonic() + ms)
  }

  #wait(): number {
    return Math.ceil(this.#next - this.#clock.monotonic())
  }
}
