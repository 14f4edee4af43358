import type { Log } from '../src/core/log.js'

const nothing = (): void => undefined

/** A log for measurements in which no line is written. */
export const silentLog: Log = {
  isLevelEnabled: () => false,
  trace: nothing,
  debug: nothing,
  info: nothing,
  warn: nothing,
  error: nothing,
  fatal: nothing,
}
