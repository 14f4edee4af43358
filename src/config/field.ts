/**
 * The kinds of value that a configuration holds.
 *
 * A field takes text (all that YAML and substitution hand us) and gives the value the program works with. It says in
 * one phrase what it expects; `describe.ts` makes a sentence of that with what was found. Values that are handed in as
 * numbers or booleans, by a program that builds a configuration, are taken as well.
 */
import * as z from 'zod'
import { DURATION_PATTERN, SIZE_PATTERN, formatDuration, parseDuration, parseSize } from './units.js'

/** A part of a JSON Schema. */
export type Shape = Readonly<Record<string, unknown>>

/** What rides on an issue besides zod's own fields. */
export interface FieldIssue {
  /** Completes "found …; … is expected". */
  readonly expected?: string
  /** All that is allowed, for naming the nearest. */
  readonly options?: readonly string[]
  /** Why what was found won't do, where that is not plain from the value. */
  readonly found?: string
}

/** Longest wait that a timer of Node takes is 2^31-1 ms; beyond it fires at once. */
export const LONGEST_TIMER = parseDuration('24d') as number
export const LONGEST_AGE = parseDuration('3650d') as number

const SUBSTITUTION = '\\$\\{'
const orSubstitution = (pattern: string): string => `${pattern}|${SUBSTITUTION}`

/** @param parse gives undefined for what it refuses */
export const field = <T>(expected: string, json: Shape, parse: (text: string) => T | undefined, options?: string[]) =>
  z
    .unknown()
    .transform((given, context): T => {
      const value = isText(given) ? parse(String(given)) : undefined
      if (value !== undefined) return value
      const params: FieldIssue = options === undefined ? { expected } : { expected, options }
      context.addIssue({ code: 'custom', message: expected, params: { ...params } })
      return z.NEVER
    })
    .meta(json)

const isText = (given: unknown): given is string | number | boolean =>
  typeof given === 'string' || typeof given === 'number' || typeof given === 'boolean'

// eslint-disable-next-line no-control-regex
const CONTROL = /[\u0000-\u001f\u007f]/

/** Any text without line breaks and the like: they would end a header, or came along with a file by accident. */
export const text = (expected = 'a text of at least one character and without line breaks') =>
  field(expected, { type: 'string', minLength: 1 }, (given) =>
    given !== '' && !CONTROL.test(given) ? given : undefined,
  )

/** Text that a regular expression matches as a whole. */
export const pattern = (expected: string, expression: string) => {
  const whole = new RegExp(expression)
  return field(expected, { type: 'string', pattern: orSubstitution(expression) }, (given) =>
    whole.test(given) ? given : undefined,
  )
}

export const flag = () =>
  field(
    'true or false',
    { anyOf: [{ type: 'boolean' }, { type: 'string', pattern: orSubstitution('^(true|false)$') }] },
    (given) => ({ true: true, false: false })[given.toLowerCase()],
  )

export const choice = <const T extends string>(...options: T[]) =>
  field(
    `one of ${options.join(', ')}`,
    { anyOf: [{ enum: options }, { type: 'string', pattern: SUBSTITUTION }] },
    (given) => options.find((option) => option === given),
    options,
  )

export const wholeNumber = (least: number, most: number = Number.MAX_SAFE_INTEGER) => {
  const bounds = most === Number.MAX_SAFE_INTEGER ? { minimum: least } : { minimum: least, maximum: most }
  const range = 'maximum' in bounds ? `from ${least} to ${most}` : `of at least ${least}`
  return field(
    `a whole number ${range}`,
    {
      anyOf: [
        { type: 'integer', ...bounds },
        { type: 'string', pattern: orSubstitution('^[0-9]+$') },
      ],
    },
    (given) => within(/^[0-9]+$/.test(given) ? Number(given) : undefined, least, most),
  )
}

/** Milliseconds. */
export const duration = (least: string, longest = LONGEST_TIMER) => {
  const range = `from ${least} to ${formatDuration(longest)}`
  return field(
    `a duration such as 250ms, 30s, 3m, 1h or 2d, ${range},`,
    { type: 'string', pattern: orSubstitution(DURATION_PATTERN) },
    (given) => within(parseDuration(given), parseDuration(least) as number, longest),
  )
}

/** Bytes. */
export const size = (least: string, most?: string) => {
  const limit = most === undefined ? Number.MAX_SAFE_INTEGER : (parseSize(most) as number)
  const floor = parseSize(least) as number
  return field(
    `a size such as 900KiB, 64MB, 1GiB or plain bytes, ${most === undefined ? `at least ${least}` : `from ${least} to ${most}`},`,
    {
      anyOf: [
        { type: 'integer', minimum: floor },
        { type: 'string', pattern: orSubstitution(SIZE_PATTERN) },
      ],
    },
    (given) => within(parseSize(given), floor, limit),
  )
}

const within = (value: number | undefined, least: number, most: number): number | undefined =>
  value !== undefined && value >= least && value <= most ? value : undefined
