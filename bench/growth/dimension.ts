/** A quantity that grows, and what is measured while it does. */
import type { Stack } from '../../dev/stack/index.js'

export interface GrowthPoint {
  /** The size of the quantity. */
  readonly x: number
  /** By the name of the figure. */
  readonly figures: Readonly<Record<string, number>>
}

export interface Dimension {
  /** The name of the files. */
  readonly name: string
  readonly title: string
  /** What grows, with its unit. */
  readonly xLabel: string
  readonly xs: readonly number[]
  /** The figure that is plotted; all are in the CSV file. */
  readonly plotted: string
  /**
   * Measures the sizes from the first to the last. A size that is not reached before the deadline is left out.
   * @param isLate whether the time for this dimension has passed
   */
  measure(stack: Stack, xs: readonly number[], isLate: () => boolean): AsyncGenerator<GrowthPoint>
}

export const MICROSECONDS = 1e6
