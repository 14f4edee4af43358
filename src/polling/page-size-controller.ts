/**
 * Decides how many items the next request asks for.
 *
 * While a queue is drained, a request is nearly always under way, and what the provider has put into an answer that never
 * arrives is lost. The page size is therefore the size of the one loss that can't be prevented, and the controller looks
 * for the smallest page that keeps up with `itemsPerSecond`: that rate multiplied by the round trip, for example 50 items
 * at 50 ms.
 *
 * The rule: five pages in a row are a round, and their median duration is the round trip. After each round a page that is
 * larger than `itemsPerSecond` × round trip shrinks to that size. If all five pages were full and the account delivers
 * less than nine tenths of `itemsPerSecond`, the page grows by half, and the next round of full pages judges the growth:
 * unless the items per second rose by at least a tenth, the size before becomes a ceiling, and the page shrinks to one step
 * below it, because a smaller page may do as well. So a slow account, whose larger pages only take longer, and a quiet
 * one, whose pages are not full, do not climb to `max`.
 *
 * Other events change the page size at once:
 *
 * - After a page that took more than five seconds, an answer that was cut, or an answer that never came although the
 *   request was sent, it is halved, and the smaller size becomes the ceiling.
 * - After any other error (no connection, refused credentials) it is halved without a ceiling, because the page size was
 *   not the cause.
 * - When the queue is empty it returns to `start` if it is larger, so that the next burst does not begin with a large page.
 *
 * Since each attempt above a ceiling may cost a page, the ceiling is doubled only after fifty full pages of its size.
 */
import type { PullConfig } from '../config/types.js'

/** A median of five is not affected by two hiccups, such as a connection that is opened or a page that is sent again. */
const PAGES_PER_ROUND = 5
const GROWTH_FACTOR = 1.5
/** The share of a growth by which the items per second must rise too: a tenth after a growth by half. */
const MIN_GAIN = 0.2
/** The share of `itemsPerSecond` below which the page grows. Growing for less would follow the noise of the round trip. */
const MIN_RATE = 0.9
/** A page that takes longer from its request until it is durable is too large. */
const SLOW_PAGE_MS = 5_000
/** Full pages at the ceiling before it is raised. */
const PAGES_BEFORE_CEILING_RISES = 50

export class PageSizeController {
  readonly #limits: PullConfig['limit']
  #pageSize: number
  #ceiling: number
  #fullPagesAtCeiling = 0
  /** The durations of the pages of this round. An idle moment between two requests belongs to neither. */
  #durationsMs: number[] = []
  /** Whether all pages of this round were full. */
  #isBacklogged = true
  /** The state before the last growth, until a round of full pages has judged it. */
  #beforeGrowth: { readonly pageSize: number; readonly itemsPerSecond: number } | undefined

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
    if (rows === 0) return this.#change(Math.min(this.#pageSize, this.#limits.start))
    if (durationMs > SLOW_PAGE_MS) return this.pageFailed()
    const isFull = rows >= this.#pageSize
    if (isFull) this.#countFullPage()
    this.#isBacklogged &&= isFull
    this.#durationsMs.push(durationMs)
    if (this.#durationsMs.length === PAGES_PER_ROUND) this.#endRound(median(this.#durationsMs))
  }

  /** Reports a page that was cut, too slow or lost on the way: the page size is too large for now. */
  pageFailed(): void {
    this.requestFailed()
    this.#setCeiling(this.#pageSize)
  }

  /** Reports an error that the page size did not cause. */
  requestFailed(): void {
    this.#change(Math.floor(this.#pageSize / 2))
  }

  #endRound(roundTripMs: number): void {
    const isBacklogged = this.#isBacklogged
    const before = this.#beforeGrowth
    const itemsPerSecond = (1_000 * this.#pageSize) / roundTripMs
    const neededPageSize = Math.ceil((this.#limits.itemsPerSecond * roundTripMs) / 1_000)
    if (before !== undefined && isBacklogged) {
      const growth = this.#pageSize / before.pageSize - 1
      const gain = itemsPerSecond / before.itemsPerSecond - 1
      if (gain < MIN_GAIN * growth) {
        this.#change(Math.floor(before.pageSize / GROWTH_FACTOR))
        this.#setCeiling(before.pageSize)
        return
      }
      this.#beforeGrowth = undefined
    }
    if (neededPageSize <= this.#pageSize) return this.#change(neededPageSize)
    const grownPageSize = Math.min(Math.ceil(this.#pageSize * GROWTH_FACTOR), this.#ceiling)
    const mayGrow = isBacklogged && itemsPerSecond < MIN_RATE * this.#limits.itemsPerSecond
    if (!mayGrow || grownPageSize <= this.#pageSize) return this.#startRound()
    const beforeGrowth = { pageSize: this.#pageSize, itemsPerSecond }
    this.#change(grownPageSize)
    this.#beforeGrowth = beforeGrowth
  }

  /** Sets the page size within its limits. What was measured with another page size is forgotten. */
  #change(pageSize: number): void {
    this.#pageSize = Math.max(this.#limits.min, pageSize)
    this.#beforeGrowth = undefined
    this.#startRound()
  }

  #startRound(): void {
    this.#durationsMs = []
    this.#isBacklogged = true
  }

  #setCeiling(pageSize: number): void {
    this.#ceiling = pageSize
    this.#fullPagesAtCeiling = 0
  }

  #countFullPage(): void {
    if (this.#pageSize < this.#ceiling || this.#ceiling === this.#limits.max) return
    this.#fullPagesAtCeiling++
    if (this.#fullPagesAtCeiling < PAGES_BEFORE_CEILING_RISES) return
    this.#setCeiling(Math.min(this.#limits.max, this.#ceiling * 2))
  }
}

/** The middle one of an odd number of values. */
const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[(values.length - 1) / 2]!
