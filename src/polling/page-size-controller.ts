/**
 * How many items the next request asks for.
 *
 * While a queue is drained a request is nearly always open, and what a provider has put into an answer that never
 * reaches us is gone. So the page size is the size of the one loss that can't be closed, and is kept as small as the
 * pace allows, which is also the provider's advice ("you must adapt this value according to the performance of your
 * services"):
 *
 * - a page that came full and was in custody within a second: there is more, and we are not the bottleneck: double;
 * - a page that took over five seconds, an answer that was cut or never came after the request was sent: halve, and
 *   remember. The size that failed is tried again only after fifty good pages, since each try may cost a page;
 * - another error (no connection, refused credentials): halve; size is not what was wrong, so nothing is remembered;
 * - the queue is empty: back to the start, so that the next burst does not meet a large page left from the last.
 *
 * Between one and five seconds the size stays.
 */
export interface PageLimits {
  readonly min: number
  readonly start: number
  readonly max: number
}

/** Milliseconds from the request to the page being durable. */
const FAST = 1_000
const SLOW = 5_000
/** Full, fast pages at the ceiling before a size that failed is tried again. */
const PAGES_BEFORE_RETRY = 50

export class PageSizeController {
  readonly #limits: PageLimits
  #limit: number
  #ceiling: number
  #good = 0

  constructor(limits: PageLimits) {
    this.#limits = limits
    this.#limit = limits.start
    this.#ceiling = limits.max
  }

  get limit(): number {
    return this.#limit
  }

  /** A complete page is in custody. @param duration milliseconds from its request to its being durable */
  page(rows: number, duration: number): void {
    if (rows === 0) {
      this.#limit = Math.min(this.#limit, this.#limits.start)
      return
    }
    if (duration > SLOW) return this.failed()
    if (rows < this.#limit || duration >= FAST) return
    if (this.#limit < this.#ceiling) {
      this.#limit = Math.min(this.#limit * 2, this.#ceiling)
    } else if (this.#ceiling < this.#limits.max && ++this.#good >= PAGES_BEFORE_RETRY) {
      this.#raiseCeiling()
      this.#limit = this.#ceiling
    }
  }

  /** The page was cut, too slow, or lost on the way: this size is too much for now. */
  failed(): void {
    this.#good = 0
    this.#halve()
    this.#ceiling = this.#limit
  }

  /** Something that has nothing to do with the size went wrong. */
  error(): void {
    this.#halve()
  }

  #halve(): void {
    this.#limit = Math.max(this.#limits.min, Math.floor(this.#limit / 2))
  }

  #raiseCeiling(): void {
    this.#good = 0
    this.#ceiling = Math.min(this.#limits.max, this.#ceiling * 2)
  }
}
