/** Which values of a configuration must never be shown: in error messages, in the log, on the status page. */
import type { Path } from '../yaml/problem.js'

/** Stands in place of what is not shown. */
export const REDACTED = '…'

/** The keys of the configuration whose values are secrets. `headers` are those of the OTLP endpoint. */
export const SECRET_KEYS: readonly string[] = [
  'password',
  'token',
  'signingKey',
  'apiKey',
  'clientSecret',
  'key',
  'previousKeys',
  'keySecret',
  'headers',
]

/** Whether the value at this path of the configuration is a secret by its key. */
export const isSecretKey = (path: Path): boolean =>
  // The second part of a path below `sources` is the name of a source, which may well be `token`.
  path.some((part, index) => SECRET_KEYS.includes(String(part)) && !(index === 1 && path[0] === 'sources'))

/** Whether a value holds credentials although its key does not say so: an address with a user in it, or a PEM block. */
export const looksLikeSecret = (value: string): boolean => value.includes('@') || value.includes('-----BEGIN')

/** The same configuration as plain JSON, with every secret and every user name replaced by `…`. */
export const redact = (config: object): Readonly<Record<string, unknown>> =>
  redactAt([], config) as Readonly<Record<string, unknown>>

const redactAt = (path: Path, value: unknown): unknown => {
  if (value instanceof Map) return redactAt(path, Object.fromEntries(value))
  if (Array.isArray(value)) return value.map((each, index) => redactAt([...path, index], each))
  if (typeof value === 'object' && value !== null) {
    return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, redactAt([...path, key], each)]))
  }
  const isHidden = isSecretKey(path) || path.at(-1) === 'username'
  return isHidden || (typeof value === 'string' && looksLikeSecret(value)) ? REDACTED : value
}
