export const number = (value: number): string => Math.round(value).toLocaleString('en')
export const row = (what: string, figure: string): string => `${what.padEnd(56)} ${figure}`

/** @param share 0.5 for the median */
export const quantile = (sorted: readonly number[], share: number): number =>
  sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0
