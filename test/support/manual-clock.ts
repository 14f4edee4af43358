/** A clock that stands still until a test advances it, so that no test waits for real time. */
import type { Clock } from '../../src/core/clock.js'

interface Sleeper {
  /** Monotonic milliseconds. */
  readonly wakesAt: number
  readonly ms: number
  readonly wake: () => void
}

export class ManualClock implements Clock {
  #now: number
  #monotonic = 0
  readonly #sleepers = new Set<Sleeper>()
  readonly #watchers = new Set<() => void>()

  /** @param now milliseconds since the epoch */
  constructor(now = Date.UTC(2026, 0, 15, 12)) {
    this.#now = now
  }

  now(): number {
    return this.#now
  }

  monotonic(): number {
    return this.#monotonic
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      if (signal?.aborted) return resolve()
      const wake = (): void => {
        this.#sleepers.delete(sleeper)
        signal?.removeEventListener('abort', wake)
        resolve()
      }
      const sleeper = { wakesAt: this.#monotonic + ms, ms, wake }
      this.#sleepers.add(sleeper)
      signal?.addEventListener('abort', wake)
      for (const watcher of this.#watchers) watcher()
    })
  }

  /** The lengths of the present sleeps in milliseconds, in the order in which they end. */
  get sleeps(): number[] {
    return this.#inOrder().map((sleeper) => sleeper.ms)
  }

  /** The milliseconds until the next sleep ends; undefined if there is no sleep. */
  get next(): number | undefined {
    const sleeper = this.#inOrder()[0]
    return sleeper && Math.max(0, sleeper.wakesAt - this.#monotonic)
  }

  /** Resolves with the length of a sleep, in milliseconds, once there is one that `matches`. */
  untilSleeping(matches: (ms: number) => boolean = () => true): Promise<number> {
    return new Promise((resolve) => {
      const check = (): void => {
        const found = this.sleeps.find(matches)
        if (found === undefined) return
        this.#watchers.delete(check)
        resolve(found)
      }
      this.#watchers.add(check)
      check()
    })
  }

  /** Advances the time and ends the sleeps in order. Promise reactions to each of them run before the next one ends. */
  async advance(ms: number): Promise<void> {
    const end = this.#monotonic + ms
    for (;;) {
      const next = this.#inOrder()[0]
      if (next === undefined || next.wakesAt > end) break
      this.#move(Math.max(0, next.wakesAt - this.#monotonic))
      next.wake()
      await runReactions()
    }
    this.#move(end - this.#monotonic)
    await runReactions()
  }

  /** Sets the wall clock, as an operator or NTP does. Sleeps and `monotonic` are not affected. */
  jumpTo(now: number): void {
    this.#now = now
  }

  #move(ms: number): void {
    this.#now += ms
    this.#monotonic += ms
  }

  #inOrder(): Sleeper[] {
    return [...this.#sleepers].sort((a, b) => a.wakesAt - b.wakesAt)
  }
}

const runReactions = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))
