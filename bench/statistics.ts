/** Medians and spreads of few measurements. */

/** @param share 0.5 for the median @returns NaN without values */
export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? NaN
}

export interface Summary {
  readonly median: number
  readonly min: number
  readonly max: number
  /** All values, in the order of the rounds. */
  readonly values: readonly number[]
}

export const summarize = (values: readonly number[]): Summary => ({
  median: quantile(values, 0.5),
  min: Math.min(...values),
  max: Math.max(...values),
  values,
})
