/** Makes sentences of what the validator objects to. */
import type * as z from 'zod'
import type { FieldIssue } from './field.js'
import { nearest } from '../yaml/nearest.js'
import type { Path, Position, Problem } from '../yaml/problem.js'
import { HIDDEN, isSecret, looksSecret } from '../masking/secrets.js'
import { KNOWN_KEYS_SEPARATOR } from './section.js'

export interface Origin {
  readonly locate: (path: Path, part?: 'key') => Position | undefined
  /** What was put into the value by substitution, as written: `${NAME}`; empty where it stands in the file. */
  readonly substitutedFrom: (path: Path) => readonly string[]
}

export const toProblems = (issue: z.core.$ZodIssue, origin: Origin): Problem[] => {
  const path = issue.path.map((part) => (typeof part === 'number' ? part : String(part)))
  if (issue.code === 'unrecognized_keys') {
    const known = issue.message.split(KNOWN_KEYS_SEPARATOR)
    return issue.keys.map((key) => unknownKey([...path, key], key, known, origin))
  }
  const params: FieldIssue | undefined = issue.code === 'custom' ? issue.params : undefined
  const isSentence = issue.code === 'custom' && params === undefined
  const text = isSentence
    ? issue.message
    : `${found(issue, params, path, origin)} is expected${suggestion(issue, params, path, origin)}`
  return [{ path, at: origin.locate(path), text }]
}

/** Keys that a release has renamed, and their present names. */
const RENAMED_KEYS: Readonly<Record<string, string>> = { journal: 'log' }

const unknownKey = (path: Path, key: string, known: readonly string[], origin: Origin): Problem => {
  const renamed = known.find((name) => name === RENAMED_KEYS[key])
  const suggested = String(renamed ?? nearest(key, known))
  return {
    path,
    at: origin.locate(path, 'key'),
    text: `unknown key; the nearest known one is ${suggested} (known here: ${known.join(', ')})`,
  }
}

const found = (issue: z.core.$ZodIssue, params: FieldIssue | undefined, path: Path, origin: Origin): string => {
  const expected = params?.expected ?? issue.message
  if (issue.input === undefined) return `is missing; ${expected}`
  const labels = origin.substitutedFrom(path)
  const from = labels.length === 0 ? '' : ` from ${labels.join(', ')}`
  const shown = params === undefined ? kind(issue.input) : show(issue.input, isHidden(path, origin))
  const why = params?.found === undefined || params.found === '' ? '' : ` (${params.found})`
  return `found ${shown}${from}${why}; ${expected}`
}

const suggestion = (issue: z.core.$ZodIssue, params: FieldIssue | undefined, path: Path, origin: Origin): string => {
  if (params?.options === undefined || typeof issue.input !== 'string' || issue.input === '' || isHidden(path, origin))
    return ''
  return `; the nearest is ${String(nearest(issue.input, params.options))}`
}

const isHidden = (path: Path, origin: Origin): boolean => isSecret(path) || origin.substitutedFrom(path).length > 0

const LONGEST_SHOWN = 60

const show = (value: unknown, hidden: boolean): string => {
  if (typeof value !== 'string') return kind(value)
  if (value === '') return '""'
  if (hidden || looksSecret(value)) return `"${HIDDEN}"`
  return JSON.stringify(value.length > LONGEST_SHOWN ? `${value.slice(0, LONGEST_SHOWN)}${HIDDEN}` : value)
}

/** Where a section or a list is expected the text found is not shown: it may be a password in the wrong place. */
const kind = (value: unknown): string => {
  if (value === null) return 'nothing'
  if (Array.isArray(value)) return value.length === 0 ? 'an empty list' : 'a list'
  return typeof value === 'object' ? 'a section' : 'a text'
}
