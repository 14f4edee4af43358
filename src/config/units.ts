/** Durations and sizes as people write them, and as the program counts them: milliseconds and bytes. */

const MILLISECONDS = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const

const BYTES = {
  B: 1,
  KB: 1e3,
  kB: 1e3,
  MB: 1e6,
  GB: 1e9,
  TB: 1e12,
  KiB: 2 ** 10,
  MiB: 2 ** 20,
  GiB: 2 ** 30,
  TiB: 2 ** 40,
} as const

/** As regular expressions of JSON Schema, so that an editor knows the same language as the program. */
export const DURATION_PATTERN = '^([0-9]+(ms|s|m|h|d)|0)$'
export const SIZE_PATTERN = '^[0-9]+(B|KB|kB|MB|GB|TB|KiB|MiB|GiB|TiB)?$'

/** `250ms`, `30s`, `3m`, `1h`, `31d` or a bare `0` in milliseconds; undefined for anything else. */
export const parseDuration = (text: string): number | undefined => parse(text, DURATION_PATTERN, MILLISECONDS)

/** `512KiB`, `1GiB`, `64KB` or plain bytes in bytes; undefined for anything else. */
export const parseSize = (text: string): number | undefined => parse(text, SIZE_PATTERN, BYTES)

/** The shortest exact way to write it: 5400000 is `90m`. */
export const formatDuration = (ms: number): string => format(ms, MILLISECONDS, ['d', 'h', 'm', 's', 'ms'])

export const formatSize = (bytes: number): string => format(bytes, BYTES, ['TiB', 'GiB', 'MiB', 'KiB', 'B'])

const parse = (text: string, pattern: string, units: Readonly<Record<string, number>>): number | undefined => {
  if (!new RegExp(pattern).test(text)) return undefined
  const digits = /^[0-9]+/.exec(text)?.[0] ?? ''
  const total = Number(digits) * (units[text.slice(digits.length)] ?? 1)
  return Number.isSafeInteger(total) ? total : undefined
}

const format = <U extends string>(total: number, units: Readonly<Record<U, number>>, largestFirst: readonly U[]) => {
  const smallest = largestFirst[largestFirst.length - 1] as U
  const unit = total === 0 ? smallest : (largestFirst.find((each) => total % units[each] === 0) ?? smallest)
  return `${total / units[unit]}${unit}`
}
