/** Hides the secrets of a configuration in texts that providers, brokers or registries wrote. */
import type { Path } from '../yaml/problem.js'
import { isSecretKey, REDACTED } from './secrets.js'

/** A shorter secret is a part of many words, and its replacement would only show where it stands. */
const MIN_SECRET_LENGTH = 4

/** Returns every value of a configuration that is a secret by its key, and the forms that it has in addresses and forms. */
export const secretValuesOf = (config: object): readonly string[] => {
  const found = new Set<string>()
  collect([], config, found)
  // A secret that contains another one is replaced first, so that nothing of it is left.
  return [...found].sort((a, b) => b.length - a.length)
}

export const hideSecretValues = (text: string, secrets: readonly string[]): string =>
  secrets.reduce((shown, secret) => shown.replaceAll(secret, REDACTED), text)

const collect = (path: Path, value: unknown, found: Set<string>): void => {
  if (typeof value === 'object' && value !== null) {
    const entries = value instanceof Map ? value.entries() : Object.entries(value)
    for (const [key, each] of entries as Iterable<[string, unknown]>) collect([...path, key], each, found)
  } else if (typeof value === 'string' && value.length >= MIN_SECRET_LENGTH && isSecretKey(path)) {
    found.add(value)
    found.add(encodeURIComponent(value.toWellFormed()))
    found.add(new URLSearchParams({ value }).toString().slice('value='.length))
  }
}
