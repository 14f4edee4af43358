/** The forms in which aggregators write times. The list is closed, so that a description can be checked before it is used. */
import { parseInstant, parseInstantIn } from '../wire/times.js'

export const TIME_FORMATS = [
  'ISO 8601',
  'YYYY-MM-DD hh:mm:ss',
  'YYYYMMDDhhmmss',
  'YYMMDDhhmm',
  'RFC 1123',
  'Unix seconds',
  'Unix milliseconds',
] as const
export type TimeFormat = (typeof TIME_FORMATS)[number]

/** The formats whose times never state their zone. */
export const ZONELESS_FORMATS = ['YYYY-MM-DD hh:mm:ss', 'YYYYMMDDhhmmss', 'YYMMDDhhmm'] as const

/** @returns milliseconds since the epoch; null for a text that is not of the format, or that could mean two instants */
export type ReadTime = (sent: string | undefined) => number | null

/** @param zone the time zone of a time that states none; undefined if such a time is null */
export const timeReader = (format: TimeFormat, zone: string | undefined): ReadTime => {
  switch (format) {
    case 'ISO 8601':
    case 'YYYY-MM-DD hh:mm:ss':
      return (sent) => (sent === undefined || !sent.includes('-') ? null : readDate(sent, zone))
    case 'YYYYMMDDhhmmss':
      return compactReader(/^(\d{4})(\d{2})(\d{2})(\d{2})(\d{2})(\d{2})$/, zone)
    case 'YYMMDDhhmm':
      return compactReader(/^(\d{2})(\d{2})(\d{2})(\d{2})(\d{2})()$/, zone)
    case 'RFC 1123':
      return readRfc1123
    case 'Unix seconds':
      return unixReader(1_000)
    case 'Unix milliseconds':
      return unixReader(1)
  }
}

const readDate = (sent: string, zone: string | undefined): number | null =>
  zone === undefined ? parseInstant(sent) : parseInstantIn(zone, sent)

const compactReader =
  (pattern: RegExp, zone: string | undefined): ReadTime =>
  (sent) => {
    const [, year, month, day, hour, minute, second] = pattern.exec(sent?.trim() ?? '') ?? []
    if (year === undefined) return null
    const fullYear = year.length === 2 ? `20${year}` : year
    return readDate(`${fullYear}-${month}-${day} ${hour}:${minute}:${second || '00'}`, zone)
  }

const RFC_1123 =
  /^(?:[A-Z][a-z]{2}, )?\d{1,2} (?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) \d{4} \d{2}:\d{2}:\d{2} (?:GMT|UTC|[+-]\d{4})$/

const readRfc1123: ReadTime = (sent) => {
  const text = sent?.trim() ?? ''
  const time = RFC_1123.test(text) ? Date.parse(text) : Number.NaN
  return Number.isNaN(time) ? null : time
}

/** No time of an SMS lies outside. It prevents that seconds are taken for milliseconds, and the other way round. */
const EARLIEST_MS = Date.UTC(2000, 0, 1)
const LATEST_MS = Date.UTC(2100, 0, 1)

const unixReader =
  (msPerUnit: number): ReadTime =>
  (sent) => {
    const text = sent?.trim() ?? ''
    if (!/^\d{9,13}(\.\d+)?$/.test(text)) return null
    const time = Math.floor(Number(text) * msPerUnit)
    return time >= EARLIEST_MS && time < LATEST_MS ? time : null
  }
