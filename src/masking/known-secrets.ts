/**
 * The secrets that this process knows, and the functions that every output of the process passes its texts through.
 *
 * There is one set for the process, because a secret must not be shown wherever it turns up: a registry may repeat the password of
 * a provider. Loading a configuration adds its secrets, and fetching a token adds the token. Nothing is ever taken out: after a
 * rotation the old password may still be valid, and a text that quotes it may still be shown.
 */
import type { Path } from '../yaml/problem.js'
import { escapeControls } from './control-characters.js'
import { MIN_PEM_LINE_LENGTH, SecretMask } from './secret-mask.js'
import { isSecretKey, REDACTED } from './secrets.js'

const secrets = new SecretMask()
/** User names are hidden in quotations only, because they may also be a part of names that the connector shows. */
const userNames = new SecretMask()
/** A token is replaced every few minutes for as long as the process runs, so only the last ones are kept. */
const recentTokens: string[] = []
const MAX_TOKENS = 32
let tokens = new SecretMask()

/** Adds the secrets of a configuration, by the names of its keys. */
export const rememberSecretsOf = (config: object): void => {
  secrets.add(secretValuesOf(config))
  userNames.add(userNamesOf(config))
}

/** Adds secrets that are in no configuration but stay the same, for example those of a variable of the environment. */
export const rememberSecrets = (values: Iterable<string>): void => secrets.add(values)

/** Adds an access token that was fetched, and that another one will replace. */
export const rememberToken = (token: string): void => {
  if (recentTokens.includes(token)) return
  recentTokens.push(token)
  if (recentTokens.length > MAX_TOKENS) recentTokens.shift()
  tokens = new SecretMask(recentTokens)
}

/** Hides every known secret in a text that others may have written. */
export const hideSecrets = (text: string): string => tokens.hide(secrets.hide(text))

/** Hides the known secrets that can't be a part of anything else: for an output as a whole, whose structure must stay. */
export const hideSecretsInOutput = (text: string): string => tokens.hideDistinctive(secrets.hideDistinctive(text))

/** Hides every known secret, and the user names that can't be a part of anything else, in a text that stays as long as it is. */
export const hideCredentials = (text: string): string => userNames.hideDistinctive(hideSecrets(text))

/** The bytes of a text in any encoding that extends ASCII, with every known secret replaced. */
export const hideSecretsInBytes = (bytes: Uint8Array): Uint8Array => {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1')
  const shown = hideSecrets(text)
  if (shown === text) return bytes
  // The mark is the only character that Latin-1 does not have.
  return Buffer.concat(
    shown
      .split(REDACTED)
      .flatMap((part, index) => [Buffer.from(index === 0 ? '' : REDACTED), Buffer.from(part, 'latin1')]),
  )
}

/** The longest quotation of a text that others have written. */
const MAX_QUOTED_CHARACTERS = 300
/** The length of the longest secret in an escaped form. */
const MAX_ESCAPED_SECRET = 8 * 1024

/**
 * Makes a text of a provider, a registry or a broker fit to be a part of a message: without secrets and user names, on one line,
 * and cut. Every such text passes through here where it enters a message, because what is cut later could cut a secret in two, and
 * its first half would not be recognised any more.
 */
export const quote = (text: string, maxCharacters = MAX_QUOTED_CHARACTERS): string =>
  shorten(text, maxCharacters, (each) => userNames.hide(hideSecrets(each)))

/**
 * Makes a message, which may hold quotations, fit to be shown: on one line, and cut.
 * @param hide what is hidden in it
 */
export const excerpt = (message: string, maxCharacters: number, hide = hideSecrets): string =>
  shorten(message, maxCharacters, hide)

const shorten = (text: string, maxCharacters: number, hide: (text: string) => string): string => {
  // The text may be as long as an answer, so only its beginning is searched.
  const beginning = text.slice(0, 8 * maxCharacters + MAX_ESCAPED_SECRET)
  const hidden = hide(beginning)
  // A secret that the beginning cuts in two is not recognised, and lies within the last characters.
  const safe = beginning.length < text.length ? hidden.slice(0, -MAX_ESCAPED_SECRET) : hidden
  const shown = escapeControls(safe)
  if (shown.length <= maxCharacters && safe === hidden) return shown.toWellFormed()
  return `${shown.slice(0, maxCharacters).toWellFormed()}… (cut, ${text.length} characters)`
}

/** Returns every value of a configuration that is a secret by its key, and what is sent of it. */
export const secretValuesOf = (config: object): readonly string[] => {
  const found = new Set<string>()
  visit([], config, (path, value, siblings) => {
    if (isSecretKey(path)) {
      for (const part of partsOf(value)) found.add(part)
      const user = siblings['username'] ?? siblings['clientId']
      if (typeof user === 'string') {
        found.add(`${user}:${value}`)
        found.add(`${encodeURIComponent(user.toWellFormed())}:${encodeURIComponent(value.toWellFormed())}`)
      }
    }
    const password = passwordIn(value)
    if (password !== undefined) found.add(password)
  })
  return [...found]
}

/** The lines of a private key; or the value, and what follows the scheme in a header field such as `Bearer …`. */
const partsOf = (value: string): string[] =>
  value.includes('-----BEGIN')
    ? value.split(/\s+/).filter((line) => line.length >= MIN_PEM_LINE_LENGTH)
    : [value, ...value.split(' ').slice(1)]

const passwordIn = (value: string): string | undefined => {
  if (!/^[a-z][a-z0-9+.-]*:\/\/[^/]*@/i.test(value) || !URL.canParse(value)) return undefined
  const { password } = new URL(value)
  try {
    return decodeURIComponent(password)
  } catch {
    return password
  }
}

const USER_KEYS: readonly string[] = ['username', 'clientId']

const userNamesOf = (config: object): readonly string[] => {
  const found = new Set<string>()
  visit([], config, (path, value) => {
    if (USER_KEYS.includes(String(path.at(-1)))) found.add(value)
  })
  return [...found]
}

type Visitor = (path: Path, value: string, siblings: Readonly<Record<string, unknown>>) => void

const visit = (
  path: Path,
  value: unknown,
  visitor: Visitor,
  siblings: Readonly<Record<string, unknown>> = {},
): void => {
  if (typeof value === 'string') {
    visitor(path, value, siblings)
  } else if (typeof value === 'object' && value !== null) {
    const entries = [...(value instanceof Map ? value : new Map(Object.entries(value)))] as [string, unknown][]
    // Two passwords of a rotation belong to the same user name.
    const own = Array.isArray(value) ? siblings : (value as Record<string, unknown>)
    for (const [key, each] of entries) visit([...path, key], each, visitor, own)
  }
}
