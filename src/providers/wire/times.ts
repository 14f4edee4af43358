/**
 * Reads times as providers write them. Results are milliseconds since the epoch.
 *
 * A time that can't be read, or that could mean two instants, is null (invariant 6: decoding never guesses). It is no
 * reason to drop the item, and `raw` keeps it as sent.
 */

/** Reads Unix seconds or milliseconds, or a date that states its zone. */
export const parseInstant = (sent: string | undefined): number | null => {
  if (sent === undefined) return null
  const text = sent.trim()
  return parseUnixTime(text) ?? parseZonedDate(text)
}

/** Like `parseInstant`, but reads a date without a zone as the wall clock of `zone`, an IANA time zone name. */
export const parseInstantIn = (zone: string, sent: string | undefined): number | null => {
  if (sent === undefined) return null
  const text = sent.trim()
  return parseUnixTime(text) ?? parseZonedDate(text) ?? parseWallClock(text, zone)
}

/**
 * Only numbers between 2000-01-01 and 2033-05-18 are Unix times. This excludes dates of ten digits (YYMMDDhhmm), which
 * are above the window from the year 2020 on.
 */
const EARLIEST_SECONDS = 946_684_800
const LATEST_SECONDS = 2_000_000_000

const parseUnixTime = (text: string): number | null => {
  if (!/^[0-9]{9,13}(\.[0-9]+)?$/.test(text)) return null
  const value = Number(text)
  if (value >= EARLIEST_SECONDS && value < LATEST_SECONDS) return Math.floor(value * 1000)
  if (value >= EARLIEST_SECONDS * 1000 && value < LATEST_SECONDS * 1000) return Math.floor(value)
  return null
}

const DATE =
  /^([0-9]{4})-([0-9]{2})-([0-9]{2})[Tt ]([0-9]{2}):([0-9]{2})(?::([0-9]{2})(?:[.,]([0-9]{1,9}))?)?(?: ?([Zz]|[+-][0-9]{2}(?::?[0-9]{2})?)| ([0-9]{2}:?[0-9]{2}))?$/

const MAX_DAY_OF_EVERY_MONTH = 28

/**
 * @param match of `DATE`
 * @returns the instant, if the wall clock were UTC; null if there is no such time
 */
const instantInUtc = (match: RegExpExecArray): number | null => {
  const year = Number(match[1])
  const month = Number(match[2])
  const day = Number(match[3])
  const hour = Number(match[4])
  const minute = Number(match[5])
  const second = Number(match[6] ?? 0)
  if (hour > 23 || minute > 59 || second > 59) return null
  // `Date.UTC` turns a year below 100 into one of the last century, and a month above 12 into one of the next year.
  if (year < 100 || month < 1 || month > 12 || day < 1) return null
  const utc = Date.UTC(year, month - 1, day, hour, minute, second, Number(`0.${match[7] ?? '0'}`) * 1000)
  // It turns a day that the month does not have into one of the next month.
  return day > MAX_DAY_OF_EVERY_MONTH && new Date(utc).getUTCDate() !== day ? null : utc
}

/** Returns `Z`, or an offset such as `+02:00`; undefined if the date states no zone. */
const zoneOf = (match: RegExpExecArray): string | undefined =>
  // A `+` that is put into a URL without being escaped is read as a space.
  match[8] ?? (match[9] && `+${match[9]}`)

const parseZonedDate = (text: string): number | null => {
  const match = DATE.exec(text)
  const zone = match === null ? undefined : zoneOf(match)
  if (match === null || zone === undefined) return null
  const utc = instantInUtc(match)
  if (utc === null || zone === 'Z' || zone === 'z') return utc
  const hours = Number(zone.slice(1, 3))
  const minutes = Number(zone.slice(3).replace(':', '') || 0)
  if (hours > 14 || minutes > 59) return null
  const offset = (hours * 60 + minutes) * 60_000
  return zone.startsWith('-') ? utc + offset : utc - offset
}

const HOUR_MS = 3_600_000

/** An hour that occurs twice, when clocks go back, is null, and so is one that does not occur, when they go forward. */
const parseWallClock = (text: string, zone: string): number | null => {
  const match = DATE.exec(text)
  if (match === null || zoneOf(match) !== undefined) return null
  const utc = instantInUtc(match)
  if (utc === null) return null
  // The offset of this time is that of a day before or that of a day after, whenever clocks change in between.
  const before = offsetAt(utc - 24 * HOUR_MS, zone)
  const after = offsetAt(utc + 24 * HOUR_MS, zone)
  const candidates = new Set<number>()
  for (const offset of [before, after]) {
    const time = utc - offset
    if (offsetAt(time, zone) === offset) candidates.add(time)
  }
  return candidates.size === 1 ? (candidates.values().next().value as number) : null
}

const formats = new Map<string, Intl.DateTimeFormat>()
/** A cache of offsets, by zone and hour, because `Intl` is slow. */
const offsets = new Map<string, number>()
const MAX_CACHED_OFFSETS = 10_000

const offsetAt = (time: number, zone: string): number => {
  const hour = Math.floor(time / HOUR_MS)
  const key = `${zone} ${hour}`
  let offset = offsets.get(key)
  if (offset === undefined) {
    if (offsets.size > MAX_CACHED_OFFSETS) offsets.clear()
    offset = computeOffset(hour * HOUR_MS, zone)
    offsets.set(key, offset)
  }
  return offset
}

const computeOffset = (time: number, zone: string): number => {
  let format = formats.get(zone)
  if (format === undefined) {
    format = new Intl.DateTimeFormat('en-US', {
      timeZone: zone,
      hourCycle: 'h23',
      year: 'numeric',
      month: 'numeric',
      day: 'numeric',
      hour: 'numeric',
      minute: 'numeric',
      second: 'numeric',
    })
    formats.set(zone, format)
  }
  const parts = Object.fromEntries(format.formatToParts(time).map(({ type, value }) => [type, Number(value)]))
  const { year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0 } = parts
  return Date.UTC(year, month - 1, day, hour, minute, second) - time
}
