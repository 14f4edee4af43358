/** A pseudo-random number generator (mulberry32). The same seed gives the same numbers, so that a failure can be repeated. */
export class Random {
  #state: number

  constructor(seed: number) {
    this.#state = seed >>> 0
  }

  /** Returns a number in [0, 1). */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0
    let mixed = this.#state
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }

  /** Returns an integer in [from, to]. */
  integer(from: number, to: number): number {
    return from + Math.floor(this.next() * (to - from + 1))
  }

  /** Returns true with the given probability. */
  chance(probability: number): boolean {
    return this.next() < probability
  }

  pick<T>(values: readonly T[]): T {
    const value = values[this.integer(0, values.length - 1)]
    if (value === undefined) throw new RangeError('nothing to pick from')
    return value
  }

  /** Returns `count` decimal digits, of which the first is not 0. */
  digits(count: number): string {
    let digits = String(this.integer(1, 9))
    while (digits.length < count) {
      digits += String(this.integer(0, 9))
    }
    return digits
  }

  /** Returns `count` lower-case hexadecimal digits. */
  hex(count: number): string {
    let hex = ''
    while (hex.length < count) {
      hex += this.integer(0, 15).toString(16)
    }
    return hex
  }
}
