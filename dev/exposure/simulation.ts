/**
 * Simulates the drain of a destructive queue on a clock of its own, to show how many items are exposed: what the provider
 * has handed out, and what would be gone if the process died now.
 */

/** What decides the page size, as `PageSizeController` does. */
export interface PageSizeRule {
  readonly pageSize: number
  pageStored(rows: number, durationMs: number): void
}

export interface SimulatedDrain {
  /** The length of the queue. Nothing is added to it. */
  readonly items: number
  /** From a request until its page is durable. */
  readonly roundTripMs: number
}

export interface DrainResult {
  readonly itemsPerSecond: number
  /**
   * The items of a page as an average over the time, which is what a death at any instant costs. The pages that come before
   * the page size has settled are left out.
   */
  readonly settledExposedItems: number
  readonly largestPage: number
}

/** A page belongs to the settled part of a drain once half of the time has passed. */
const SETTLED_SHARE = 0.5

export function simulateDrain(rule: PageSizeRule, { items, roundTripMs }: SimulatedDrain): DrainResult {
  const pages: number[] = []
  let left = items
  while (left > 0) {
    const rows = Math.min(left, rule.pageSize)
    left -= rows
    pages.push(rows)
    rule.pageStored(rows, roundTripMs)
  }
  const seconds = (pages.length * roundTripMs) / 1_000
  return {
    itemsPerSecond: items / seconds,
    settledExposedItems: mean(pages.slice(Math.floor(SETTLED_SHARE * pages.length), -1)),
    largestPage: Math.max(...pages),
  }
}

/**
 * The rule that the smallest page is compared with: the page doubles whenever one comes full and is durable within a
 * second, as in versions of the connector before `limit.itemsPerSecond` existed.
 */
export class DoublingRule implements PageSizeRule {
  pageSize: number
  readonly #max: number

  constructor({ start, max }: { readonly start: number; readonly max: number }) {
    this.pageSize = start
    this.#max = max
  }

  pageStored(rows: number, durationMs: number): void {
    if (rows === this.pageSize && durationMs < 1_000) this.pageSize = Math.min(this.#max, 2 * this.pageSize)
  }
}

/** Every page takes the same time, so that the average over the pages is the average over the time. */
const mean = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / Math.max(1, values.length)
