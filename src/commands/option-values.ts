/** Values of options that several commands have. */
import { parseDuration } from '../config/units.js'
import { ConnectorError } from '../core/errors.js'

/** A date and time of ISO 8601 with its offset from UTC, so that it means the same on every machine. */
const ABSOLUTE_TIME = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:\d{2})$/

/**
 * @param option its name, for the error
 * @param now milliseconds since the epoch, from which a duration counts back
 * @returns milliseconds since the epoch
 * @throws ConnectorError USAGE
 */
export function parseTime(option: string, text: string, now: number): number {
  const duration = parseDuration(text)
  if (duration !== undefined) return Math.max(0, now - duration)
  const time = ABSOLUTE_TIME.test(text) ? Date.parse(text) : NaN
  if (!Number.isNaN(time)) return Math.max(0, time)
  throw new ConnectorError(
    'USAGE',
    `${option}: found "${text}"; a duration such as 30s, 10m or 2h, or a time such as 2030-01-31T12:00:00Z is expected`,
  )
}

/** @param option its name, for the error. @throws ConnectorError USAGE */
export function parseCount(option: string, text: string): number {
  const count = /^\d{1,9}$/.test(text) ? Number(text) : undefined
  if (count !== undefined) return count
  throw new ConnectorError('USAGE', `${option}: found "${text}"; a whole number from 0 to 999999999 is expected`)
}
