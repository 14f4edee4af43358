/**
 * How long to wait after errors: doubling from a second up to `longest`, the upper half of it by chance. So the waits
 * of one account grow from one to the next, and accounts that failed together don't come back together.
 */
const FIRST = 1_000

export class Backoff {
  readonly #longest: number
  readonly #random: () => number
  #errors = 0

  /** @param longest ms @param random in [0, 1) */
  constructor(longest: number, random: () => number) {
    this.#longest = longest
    this.#random = random
  }

  /** @param asked ms that the provider asked us to wait, as a minimum up to `longest` */
  next(asked = 0): number {
    const ceiling = Math.min(this.#longest, FIRST * 2 ** Math.min(this.#errors++, 30))
    const wait = Math.ceil(ceiling / 2 + (this.#random() * ceiling) / 2)
    return Math.min(this.#longest, Math.max(wait, asked))
  }

  reset(): void {
    this.#errors = 0
  }
}

/**
 * `Retry-After` (RFC 9110, 10.2.3) as milliseconds from now: seconds, or an HTTP date. 0 for none or nonsense.
 * @param now milliseconds since the epoch
 */
export const retryAfter = (value: string | undefined, now: number): number => {
  const text = value?.trim() ?? ''
  if (/^\d{1,9}$/.test(text)) return Number(text) * 1_000
  const at = /\d{2}:\d{2}:\d{2}/.test(text) ? Date.parse(text) : Number.NaN
  return Number.isNaN(at) ? 0 : Math.max(0, at - now)
}
