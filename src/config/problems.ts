/** Turns the issues that the validator reports into problems with a place and a sentence. */
import type * as z from 'zod'
import { nearest } from '../yaml/nearest.js'
import type { Path, Position, Problem } from '../yaml/problem.js'
import { REDACTED, isSecretKey, looksLikeSecret } from '../masking/secrets.js'
import type { UnknownKey } from './section.js'
import type { RefusedValue } from './values.js'

/** Where the values of a configuration come from. */
export interface Origin {
  readonly locate: (path: Path, part?: 'key') => Position | undefined
  /** The substitutions that a value contains, as written (`${NAME}`); empty for a value that is written in the file. */
  readonly substitutedFrom: (path: Path) => readonly string[]
}

export const toProblem = (issue: z.core.$ZodIssue, origin: Origin): Problem => {
  const path = issue.path.map((part) => (typeof part === 'number' ? part : String(part)))
  const at = origin.locate(path)
  // A section or a list was expected. Text in its place is not shown, because it may be a misplaced password.
  if (issue.code !== 'custom') {
    return { path, at, text: refusal(issue.input, kindOf(issue.input), { expected: issue.message }, path, origin) }
  }
  const details = issue.params as RefusedValue | UnknownKey | undefined
  // A rule between keys carries no details: its message is the whole sentence.
  if (details === undefined) return { path, at, text: issue.message }
  if ('knownKeys' in details) return unknownKey(path, details.knownKeys, origin)
  const isHidden = isSecretKey(path) || origin.substitutedFrom(path).length > 0
  const sentence = refusal(issue.input, show(issue.input, isHidden), details, path, origin)
  return { path, at, text: isHidden ? sentence : sentence + suggestion(issue.input, details) }
}

/** Keys that a release has renamed, and their present names. */
const RENAMED_KEYS: ReadonlyMap<string, string> = new Map([['journal', 'log']])

const unknownKey = (path: Path, knownKeys: readonly string[], origin: Origin): Problem => {
  const key = String(path.at(-1))
  const renamed = knownKeys.find((known) => known === RENAMED_KEYS.get(key))
  const hint = renamed === undefined ? `the nearest known one is ${nearest(key, knownKeys)}` : `it is now ${renamed}`
  return { path, at: origin.locate(path, 'key'), text: `unknown key; ${hint} (known here: ${knownKeys.join(', ')})` }
}

const refusal = (input: unknown, shown: string, details: RefusedValue, path: Path, origin: Origin): string => {
  if (input === undefined) return `is missing; ${details.expected} is expected`
  const substitutions = origin.substitutedFrom(path)
  const from = substitutions.length === 0 ? '' : ` from ${substitutions.join(', ')}`
  const explanation = details.found === undefined ? '' : ` (${details.found})`
  return `found ${shown}${from}${explanation}; ${details.expected} is expected`
}

const suggestion = (input: unknown, { options }: RefusedValue): string =>
  options === undefined || typeof input !== 'string' || input === ''
    ? ''
    : `; the nearest is ${nearest(input, options)}`

const MAX_SHOWN_CHARACTERS = 60

const show = (value: unknown, isHidden: boolean): string => {
  if (typeof value !== 'string') return kindOf(value)
  if (value === '') return '""'
  if (isHidden || looksLikeSecret(value)) return `"${REDACTED}"`
  return JSON.stringify(
    value.length > MAX_SHOWN_CHARACTERS ? `${value.slice(0, MAX_SHOWN_CHARACTERS)}${REDACTED}` : value,
  )
}

const kindOf = (value: unknown): string => {
  if (value === null) return 'nothing'
  if (Array.isArray(value)) return value.length === 0 ? 'an empty list' : 'a list'
  return typeof value === 'object' ? 'a section' : 'a text'
}
