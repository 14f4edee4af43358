import type { Config } from './types.js'
import type { Path } from '../yaml/problem.js'
import { HIDDEN, isSecret, looksSecret } from '../masking/secrets.js'

/** The same structure as plain JSON with every secret, and who it belongs to, replaced by `…`: for the log, and `check --json`. */
export const redacted = (config: Config): Readonly<Record<string, unknown>> =>
  hide(config, []) as Readonly<Record<string, unknown>>

const hide = (value: unknown, path: Path): unknown => {
  if (value instanceof Map) return hide(Object.fromEntries(value), path)
  if (Array.isArray(value)) return value.map((each, index) => hide(each, [...path, index]))
  if (typeof value === 'object' && value !== null) {
    return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, hide(each, [...path, key])]))
  }
  return isSecret(path) || path.at(-1) === 'username' || (typeof value === 'string' && looksSecret(value))
    ? HIDDEN
    : value
}
