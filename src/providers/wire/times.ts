/**
 * Times as providers write them, to milliseconds since the epoch.
 *
 * A time that can't be read, or could mean two instants, is null: never a reason to drop an item, and never guessed
 * (invariant 6). `raw` keeps it as sent.
 */

/** Unix seconds or milliseconds, or a date with its own zone. */
export const instant = (sent: string | undefined): number | null => {
  if (sent === undefined) return null
  const text = sent.trim()
  return unixTime(text) ?? zoned(text)
}

/** Like `instant`, and a date without a zone is the wall clock of `zone` (an IANA name). */
export const instantIn = (zone: string, sent: string | undefined): number | null => {
  if (sent === undefined) return null
  const text = sent.trim()
  return unixTime(text) ?? zoned(text) ?? wallClock(text, zone)
}

/**
 * 2000-01-01 to 2033-05-18 in seconds: a window that leaves out dates of ten digits (YYMMDDhhmm), which begin with 20
 * and up in our years.
 */
const EARLIEST = 946_684_800
const LATEST = 2_000_000_000

const unixTime = (text: string): number | null => {
  if (!/^[0-9]{9,13}(\.[0-9]+)?$/.test(text)) return null
  const value = Number(text)
  if (value >= EARLIEST && value < LATEST) return Math.floor(value * 1000)
  if (value >= EARLIEST * 1000 && value < LATEST * 1000) return Math.floor(value)
  return null
}

const DATE =
  /^([0-9]{4})-([0-9]{2})-([0-9]{2})[Tt ]([0-9]{2}):([0-9]{2})(?::([0-9]{2})(?:[.,]([0-9]{1,9}))?)?(?: ?([Zz]|[+-][0-9]{2}(?::?[0-9]{2})?)| ([0-9]{2}:?[0-9]{2}))?$/

interface Parts {
  /** As if the wall clock were UTC. */
  readonly utc: number
  readonly zone: string | undefined
}

const parts = (text: string): Parts | null => {
  const match = DATE.exec(text)
  if (match === null) return null
  const [year, month, day, hour, minute] = match.slice(1, 6).map(Number) as [number, number, number, number, number]
  const second = Number(match[6] ?? 0)
  if (hour > 23 || minute > 59 || second > 59) return null
  const utc = Date.UTC(year, month - 1, day, hour, minute, second, Number(`0.${match[7] ?? '0'}`) * 1000)
  const date = new Date(utc)
  // The 31st of a month that has 30 days.
  if (date.getUTCMonth() !== month - 1 || date.getUTCDate() !== day || date.getUTCFullYear() !== year) return null
  // A blank before an offset is what becomes of a plus that was put into a URL without being escaped.
  return { utc, zone: match[8] ?? (match[9] && `+${match[9]}`) }
}

const zoned = (text: string): number | null => {
  const found = parts(text)
  if (found?.zone === undefined) return null
  if (found.zone === 'Z' || found.zone === 'z') return found.utc
  const hours = Number(found.zone.slice(1, 3))
  const minutes = Number(found.zone.slice(3).replace(':', '') || 0)
  if (hours > 14 || minutes > 59) return null
  const offset = (hours * 60 + minutes) * 60_000
  return found.zone.startsWith('-') ? found.utc + offset : found.utc - offset
}

const HOUR = 3_600_000

/** The two hours of autumn that occur twice, and the hour of spring that does not occur, are null. */
const wallClock = (text: string, zone: string): number | null => {
  const found = parts(text)
  if (found === null || found.zone !== undefined) return null
  // Offsets that hold a day before and a day after cover every change of clocks in between.
  const before = offsetAt(found.utc - 24 * HOUR, zone)
  const after = offsetAt(found.utc + 24 * HOUR, zone)
  const candidates = new Set<number>()
  for (const offset of [before, after]) {
    const time = found.utc - offset
    if (offsetAt(time, zone) === offset) candidates.add(time)
  }
  return candidates.size === 1 ? (candidates.values().next().value as number) : null
}

const formats = new Map<string, Intl.DateTimeFormat>()
/** Offsets by zone and hour. A memory of a pure function, kept small. */
const offsets = new Map<string, number>()

const offsetAt = (time: number, zone: string): number => {
  const hour = Math.floor(time / HOUR)
  const key = `${zone} ${hour}`
  let offset = offsets.get(key)
  if (offset === undefined) {
    if (offsets.size > 10_000) offsets.clear()
    offset = measureOffset(hour * HOUR, zone)
    offsets.set(key, offset)
  }
  return offset
}

const measureOffset = (time: number, zone: string): number => {
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
  const of = Object.fromEntries(format.formatToParts(time).map(({ type, value }) => [type, Number(value)]))
  const { year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0 } = of
  return Date.UTC(year, month - 1, day, hour, minute, second) - time
}
