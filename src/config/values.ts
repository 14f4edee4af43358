/**
 * The kinds of value that a configuration key may have.
 *
 * A value arrives as text, because YAML is read without types and substitution produces text. Each kind converts that
 * text, and describes in one phrase what it expects; `problems.ts` completes the phrase to a sentence with what was
 * found. Numbers and booleans are accepted too, for a program that builds a configuration.
 */
import * as z from 'zod'
import { DAY_MS, MAX_TIMER_MS } from '../core/clock.js'
import { alternativeForm, type JsonSchema } from './json-schema.js'
import { DURATION_PATTERN, SIZE_PATTERN, formatDuration, parseDuration, parseSize } from './units.js'

/** Why a value was refused; attached to a validation issue as `params`. */
export interface RefusedValue {
  /** A phrase that completes "found …; … is expected". */
  readonly expected: string
  /** All values that are allowed, for suggesting the nearest one. */
  readonly options?: readonly string[]
  /** Further explanation of what was found, where the value alone does not explain the refusal. */
  readonly found?: string
}

export const refuseValue = (context: z.core.$RefinementCtx, refused: RefusedValue): never => {
  context.addIssue({ code: 'custom', message: refused.expected, params: { ...refused } })
  return z.NEVER
}

/** The longest duration that a timer takes, in whole days. */
const MAX_DURATION = formatDuration(Math.floor(MAX_TIMER_MS / DAY_MS) * DAY_MS)
/** The longest age that is compared with timestamps and not waited for by a timer. */
export const MAX_AGE = '3650d'

/** Wherever a value is allowed, the text may be a substitution such as `${NAME}` instead. */
const SUBSTITUTION = '\\$\\{'
const orSubstitution = (pattern: string): string => `${pattern}|${SUBSTITUTION}`

export interface ValueKind<T> {
  readonly expected: string
  readonly jsonSchema: JsonSchema
  /** Returns undefined for text that is refused. */
  readonly parse: (text: string) => T | undefined
  readonly options?: readonly string[]
  /** As it may be written; a key without a default is required, unless it is made optional. */
  readonly default?: string | number | undefined
}

/** A value that is parsed from text. */
export const value = <T>({
  expected,
  jsonSchema,
  parse,
  options,
  default: defaultValue,
}: ValueKind<T>): z.ZodType<T> => {
  const kind = z
    .unknown()
    .transform((given, context): T => {
      const parsed = isScalar(given) ? parse(String(given)) : undefined
      return parsed ?? refuseValue(context, options === undefined ? { expected } : { expected, options })
    })
    .meta(jsonSchema)
  return defaultValue === undefined ? kind : kind.prefault(defaultValue)
}

const isScalar = (given: unknown): given is string | number | boolean =>
  typeof given === 'string' || typeof given === 'number' || typeof given === 'boolean'

/**
 * A secret, or a list of one or two of which each is valid, so that a secret can be replaced without a moment at which
 * either side is refused. The result is a list in both cases.
 */
export const oneOrTwo = ({ expected, jsonSchema, parse }: ValueKind<string>): z.ZodType<readonly string[]> =>
  z
    .unknown()
    .transform((given, context): readonly string[] => {
      if (!Array.isArray(given)) {
        const parsed = isScalar(given) ? parse(String(given)) : undefined
        return parsed === undefined ? refuseValue(context, { expected }) : [parsed]
      }
      const items: readonly unknown[] = given
      if (items.length < 1 || items.length > 2)
        return refuseValue(context, { expected: `${expected}, or a list of two` })
      return items.flatMap((item, index) => {
        const parsed = isScalar(item) ? parse(String(item)) : undefined
        if (parsed === undefined)
          context.addIssue({ code: 'custom', message: expected, params: { expected }, path: [index], input: item })
        return parsed ?? []
      })
    })
    .meta({ anyOf: [jsonSchema, { type: 'array', items: jsonSchema, minItems: 1, maxItems: 2 }] })

// eslint-disable-next-line no-control-regex
const CONTROL_CHARACTER = /[\u0000-\u001f\u007f]/

/** Any text without control characters: a line break would end an HTTP header, and is often a leftover from a file. */
export const text = (expected?: string) => value(textKind(expected))

export const textKind = (expected = 'a text of at least one character and without line breaks'): ValueKind<string> => ({
  expected,
  jsonSchema: { type: 'string', minLength: 1 },
  parse: (given) => (given !== '' && !CONTROL_CHARACTER.test(given) ? given : undefined),
})

/** A text that matches a regular expression. */
export const textMatching = (pattern: string, expected: string) => value(textMatchingKind(pattern, expected))

export const textMatchingKind = (pattern: string, expected: string): ValueKind<string> => {
  const expression = new RegExp(pattern)
  return {
    expected,
    jsonSchema: { type: 'string', pattern: orSubstitution(pattern) },
    parse: (given) => (expression.test(given) ? given : undefined),
  }
}

export const boolean = () =>
  value({
    expected: 'true or false',
    jsonSchema: { anyOf: [{ type: 'boolean' }, { type: 'string', pattern: orSubstitution('^(true|false)$') }] },
    parse: (given) => ({ true: true, false: false })[given.toLowerCase()],
  })

export const oneOf = <const T extends string>(...options: T[]) =>
  value({
    expected: `one of ${options.join(', ')}`,
    jsonSchema: { anyOf: [{ enum: options }, { type: 'string', pattern: SUBSTITUTION }] },
    parse: (given) => options.find((option) => option === given),
    options,
  })

/** Limits and default, written as the value itself may be written. */
interface Range<T> {
  readonly min: T
  readonly max?: T
  readonly default?: T
}

export const wholeNumber = ({ min, max, default: defaultValue }: Range<number>) =>
  value({
    expected: `a whole number ${max === undefined ? `of at least ${min}` : `from ${min} to ${max}`}`,
    jsonSchema: {
      anyOf: [
        { type: 'integer', minimum: min, ...(max !== undefined && { maximum: max }) },
        { type: 'string', pattern: orSubstitution('^[0-9]+$') },
      ],
    },
    parse: (given) => within(/^[0-9]+$/.test(given) ? Number(given) : undefined, min, max),
    default: defaultValue,
  })

/** A share of something, from 0 to 1. */
export const ratio = () =>
  value({
    expected: 'a number from 0 to 1, such as 0.01,',
    jsonSchema: {
      anyOf: [
        { type: 'number', minimum: 0, maximum: 1 },
        { type: 'string', pattern: orSubstitution('^(0|1|[01]?\\.[0-9]+)$') },
      ],
    },
    parse: (given) => within(/^(\d+|\d*\.\d+)$/.test(given) ? Number(given) : undefined, 0, 1),
  })

/** A duration, in milliseconds. */
export const duration = ({ min, max = MAX_DURATION, default: defaultValue }: Range<string>) =>
  value({
    expected: `a duration such as 250ms, 30s, 3m, 1h or 2d, from ${min} to ${max},`,
    jsonSchema: { type: 'string', pattern: orSubstitution(DURATION_PATTERN) },
    parse: (given) => within(parseDuration(given), parseDuration(min), parseDuration(max)),
    default: defaultValue,
  })

/** A size, in bytes. */
export const size = ({ min, max, default: defaultValue }: Range<string>) =>
  value({
    expected: `a size such as 900KiB, 64MB, 1GiB or plain bytes, ${max === undefined ? `at least ${min}` : `from ${min} to ${max}`},`,
    jsonSchema: {
      anyOf: [
        { type: 'integer', minimum: parseSize(min) },
        { type: 'string', pattern: orSubstitution(SIZE_PATTERN) },
      ],
    },
    parse: (given) => within(parseSize(given), parseSize(min), max === undefined ? undefined : parseSize(max)),
    default: defaultValue,
  })

const within = (number: number | undefined, min = 0, max = Number.MAX_SAFE_INTEGER): number | undefined =>
  number !== undefined && number >= min && number <= max ? number : undefined

/** A list, or one text with the items separated by commas, as an environment variable provides it. */
export const list = <T>(item: z.ZodType<T>, { minItems }: { readonly minItems: number }) => {
  const expected = minItems === 0 ? 'a list' : 'a list of at least one'
  const items = z.array(item, { error: expected }).min(minItems, { error: expected })
  return z
    .preprocess(splitAtCommas, items)
    .meta(alternativeForm({ type: 'string', description: 'The same items in one text, separated by commas.' }))
}

/** A list with a single text is split too: `["${BROKERS}"]` puts several items into one. */
const splitAtCommas = (given: unknown): unknown => {
  const only: unknown = Array.isArray(given) && given.length === 1 ? given[0] : given
  if (typeof only !== 'string' || (only !== given && !only.includes(','))) return given
  return only
    .split(',')
    .map((each) => each.trim())
    .filter((each) => each !== '')
}

/** An http or https address, as written except for slashes at its end: a path that is appended brings its own. */
export const httpUrl = (description = 'an http:// or https:// address') =>
  value({
    expected: `${description} without credentials and fragment`,
    jsonSchema: { type: 'string', pattern: orSubstitution('^https?://[^\\s@#]+$') },
    parse: (given) => {
      const parsed = URL.canParse(given) ? new URL(given) : undefined
      if (parsed === undefined || !/^https?:\/\/\S+$/i.test(given)) return undefined
      const isBare = parsed.username === '' && parsed.password === '' && !given.includes('#')
      return isBare ? given.replace(/\/+$/, '') : undefined
    },
  })

/** An http or https address that paths are appended to, and which therefore has no query. */
export const baseUrl = (description: string) =>
  httpUrl(description).refine((given) => !given.includes('?'), {
    error: 'must not contain a query (?…), because paths are appended to it',
  })
