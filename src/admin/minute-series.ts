import type { Clock } from '../core/clock.js'

/** The minutes that are remembered: the last hour. */
const MINUTES = 60
const MINUTE_MS = 60_000

/**
 * A number for each minute of the last hour, in memory: a count, or the highest value of a gauge. Minutes are counted by the
 * monotonic clock, so a change of the system's time moves nothing.
 */
export class MinuteSeries {
  readonly #clock: Clock
  readonly #firstMinute: number
  readonly #values = new Map<number, number>()

  constructor(clock: Clock) {
    this.#clock = clock
    this.#firstMinute = this.#minute()
  }

  /** Counts in the present minute. */
  add(count: number): void {
    const minute = this.#minute()
    this.#set(minute, (this.#values.get(minute) ?? 0) + count)
  }

  /** Keeps the value if it is the highest of the present minute. */
  raise(value: number): void {
    const minute = this.#minute()
    this.#set(minute, Math.max(this.#values.get(minute) ?? 0, value))
  }

  /** The same without the present minute, unless it is the only one: a minute that has just begun looks like a drop. */
  completeMinutes(): number[] {
    const values = this.values()
    return values.length > 1 ? values.slice(0, -1) : values
  }

  /** The same for a gauge: a minute in which it was not read has the value of the minute before. */
  levels(): number[] {
    const levels: number[] = []
    const first = this.#minute() - this.values().length + 1
    for (const [index, value] of this.values().entries()) {
      const isRead = this.#values.has(first + index)
      levels.push(isRead ? value : (levels.at(-1) ?? 0))
    }
    return levels
  }

  /** Returns one number for each minute since the start, at most 60. The last one is of the present minute, so far. */
  values(): number[] {
    const last = this.#minute()
    const first = Math.max(this.#firstMinute, last - MINUTES + 1)
    return Array.from({ length: last - first + 1 }, (_, index) => this.#values.get(first + index) ?? 0)
  }

  #set(minute: number, value: number): void {
    this.#values.set(minute, value)
    for (const old of this.#values.keys()) {
      if (old > minute - MINUTES) break
      this.#values.delete(old)
    }
  }

  #minute(): number {
    return Math.floor(this.#clock.monotonic() / MINUTE_MS)
  }
}
