/** Closed sections of keys, lists, and rules between keys. */
import * as z from 'zod'
import { field } from './field.js'
import { orInSchema } from './json-schema.js'

/** Separates the known keys in the message of an issue about an unknown one; see `describe.ts`. */
export const KNOWN_KEYS_SEPARATOR = ', '

/** A section that takes its keys and no other. */
export const section = <S extends z.core.$ZodLooseShape>(shape: S) =>
  z.strictObject(shape, {
    error: (issue) => {
      const known = Object.keys(shape).join(KNOWN_KEYS_SEPARATOR)
      return issue.code === 'unrecognized_keys' ? known : `a section with keys of its own (${known})`
    },
  })

/** A section that is always there: left out or empty, its defaults hold. */
export const withDefaults = <S extends z.ZodType>(schema: S) =>
  z.preprocess((given) => (given === null ? {} : given), schema).prefault({})

/**
 * A rule that a section's keys must keep between them. It is asked even when some of them are wrong by themselves, so
 * that all problems are told at once: what is not of its type then must be passed over.
 *
 * @param text the whole sentence; it must not hold a value, which may be a secret
 */
export const rule = <T>(text: string, path: string[], holds: (section: T) => boolean) =>
  z.refine<T>(holds, { error: text, path, when: isSection })

export const isSection = ({ value }: { readonly value: unknown }): boolean =>
  typeof value === 'object' && value !== null

/** A list, or the same separated by commas in one text, as an environment variable brings it. */
export const list = <T>(item: z.ZodType<T>, { least }: { readonly least: number }) => {
  const expected = least === 0 ? 'a list' : 'a list of at least one'
  const items = z.array(item, { error: expected }).min(least, { error: expected })
  const separated = z.preprocess((given) => (typeof given === 'string' ? split(given) : flatten(given)), items)
  return separated.meta(orInSchema({ type: 'string', description: 'The same, separated by commas.' }))
}

const split = (text: string): string[] =>
  text
    .split(',')
    .map((each) => each.trim())
    .filter((each) => each !== '')

/** `["${BROKERS}"]` holds a list inside a list's one item. */
const flatten = (given: unknown): unknown =>
  Array.isArray(given) && given.length === 1 && typeof given[0] === 'string' && given[0].includes(',')
    ? split(given[0])
    : given

/** An http or https address. Kept as written, but for slashes at its end, which would be doubled on use. */
export const url = (what = 'an http:// or https:// address') =>
  field(
    `${what} without credentials and fragment`,
    { type: 'string', pattern: '^https?://[^\\s@#]+$|\\$\\{' },
    (given) => {
      const parsed = URL.canParse(given) ? new URL(given) : undefined
      if (parsed === undefined || !/^https?:\/\/\S+$/i.test(given)) return undefined
      const bare = parsed.username === '' && parsed.password === '' && !given.includes('#')
      return bare ? given.replace(/\/+$/, '') : undefined
    },
  )

/** As `url`, to be followed by a path: so it may hold no query. */
export const baseUrl = (what: string) =>
  url(what).refine((given) => !given.includes('?'), { error: 'must not hold a query (?…): paths are appended to it' })
