/** A clock that stands still until a test moves it. Nothing that takes a `Clock` has to be waited for. */
import type { Clock } from '../../src/core/clock.js'

interface Sleeper {
  readonly at: number
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
      const sleeper = { at: this.#monotonic + ms, ms, wake }
      this.#sleepers.add(sleeper)
      signal?.addEventListener('abort', wake)
      for (const watcher of this.#watchers) watcher()
    })
  }

  /** Lengths of the sleeps under way, in ms, shortest remainder first. */
  get sleeps(): number[] {
    return this.#inOrder().map((sleeper) => sleeper.ms)
  }

  /** Ms until the next sleeper wakes; undefined while nobody sleeps. */
  get next(): number | undefined {
    const sleeper = this.#inOrder()[0]
    return sleeper && Math.max(0, sleeper.at - this.#monotonic)
  }

  /** Resolves, with its length, once a sleep is under way that `matches` (any, if left out). */
  untilSleeping(matches: (ms: number) => boolean = () => true): Promise<number> {
    return new Promise((resolve) => {
      const look = (): void => {
        const found = this.sleeps.find(matches)
        if (found === undefined) return
        this.#watchers.delete(look)
        resolve(found)
      }
      this.#watchers.add(look)
      look()
    })
  }

  /** Moves time on, waking sleepers in order; what each does until it next waits happens before the next one wakes. */
  async advance(ms: number): Promise<void> {
    const end = this.#monotonic + ms
    for (let next = this.#inOrder()[0]; next !== undefined && next.at <= end; next = this.#inOrder()[0]) {
      this.#move(Math.max(0, next.at - this.#monotonic))
      next.wake()
      await settle()
    }
    this.#move(end - this.#monotonic)
    await settle()
  }

  /** Sets the wall clock, as an operator or NTP would. Sleeps and `monotonic` don't notice. */
  jumpTo(now: number): void {
    this.#now = now
  }

  #move(ms: number): void {
    this.#now += ms
    this.#monotonic += ms
  }

  #inOrder(): Sleeper[] {
    return [...this.#sleepers].sort((a, b) => a.at - b.at)
  }
}

/** Lets pending promise reactions run. */
const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))
