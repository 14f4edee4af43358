/** Which values must never be shown: in problems, in the log, on a status page. */
import type { Path } from '../yaml/problem.js'

export const HIDDEN = '…'

const SECRET_KEYS: ReadonlySet<string | number> = new Set([
  'password',
  'token',
  'signingKey',
  'apiKey',
  'clientSecret',
  'key',
])

/** Names of sources are no keys of ours: one may well be called `token`. */
export const isSecret = (path: Path): boolean =>
  path.some((part, index) => SECRET_KEYS.has(part) && !(index === 1 && path[0] === 'sources'))

/** A value that holds credentials although its key does not say so: an address with a user in it, a PEM block. */
export const looksSecret = (value: string): boolean => value.includes('@') || value.includes('-----BEGIN')
