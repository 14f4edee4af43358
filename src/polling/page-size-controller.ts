/**
 * Decides how many items the next request asks for.
 *
 * While a queue is drained, a request is nearly always under way, and what the provider has put into an answer that never
 * arrives is lost. The page size is therefore the size of the one loss that can't be prevented. It is kept as small as
 * the pace of the queue allows, as the provider advises too ("you must adapt this value according to the performance of
 * your services"):
 *
 * - After a full page that was durable within a second it doubles: the queue holds more, and the connector keeps up.
 * - After a page that took more than five seconds, an answer that was cut, or an answer that never came although the
 *   request was sent, it is halved, and the smaller size becomes a ceiling. Since each attempt at the larger size may cost
 *   a page, the ceiling is raised only after fifty full and fast pages.
 * - After any other error (no connection, refused credentials) it is halved without a ceiling, because the page size was
 *   not the cause.
 * - When the queue is empty it returns to `start`, so that the next burst does not begin with a large page.
 *
 * Between one and five seconds it stays as it is.
 */
import type { PullConfig } from '../config/types.js'

/** The limits of the time from a request until its page is durable, between which the page size stays. */
const FAST_PAGE_MS = 1_000
const SLOW_PAGE_MS = 5_000
/** Full and fast pages at the ceiling before it is raised. */
const PAGES_BEFORE_CEILING_RISES = 50

export class PageSizeController {
  readonly #limits: PullConfig['limit']
  #pageSize: number
  #ceiling: number
  #goodPagesAtCeiling = 0

  constructor(limits: PullConfig['limit']) {
    this.#limits = limits
    this.#pageSize = limits.start
    this.#ceiling = limits.max
  }

  /** The number of items that the next request asks for. */
  get pageSize(): number {
    return this.#pageSize
  }

  /** Reports a complete page that is durable. @param durationMs from its request until it was durable */
  pageStored(rows: number, durationMs: number): void {
    if (rows === 0) {
      this.#pageSize = Math.min(this.#pageSize, this.#limits.start)
      return
    }
    if (durationMs > SLOW_PAGE_MS) return this.pageFailed()
    if (rows < this.#pageSize || durationMs >= FAST_PAGE_MS) return
    if (this.#pageSize < this.#ceiling) {
      this.#pageSize = Math.min(this.#pageSize * 2, this.#ceiling)
      return
    }
    if (this.#ceiling < this.#limits.max) this.#countGoodPage()
  }

  /** Reports a page that was cut, too slow or lost on the way: the page size is too large for now. */
  pageFailed(): void {
    this.#goodPagesAtCeiling = 0
    this.#halve()
    this.#ceiling = this.#pageSize
  }

  /** Reports an error that the page size did not cause. */
  requestFailed(): void {
    this.#halve()
  }

  #halve(): void {
    this.#pageSize = Math.max(this.#limits.min, Math.floor(this.#pageSize / 2))
  }

  #countGoodPage(): void {
    this.#goodPagesAtCeiling++
    if (this.#goodPagesAtCeiling < PAGES_BEFORE_CEILING_RISES) return
    this.#goodPagesAtCeiling = 0
    this.#ceiling = Math.min(this.#limits.max, this.#ceiling * 2)
    this.#pageSize = this.#ceiling
  }
}
