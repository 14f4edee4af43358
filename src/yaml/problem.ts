/** A problem of a configuration file: where it is, and what to do about it. */

/** The keys and list indexes that lead from the root of the configuration to a value. */
export type Path = readonly (string | number)[]

/** Line and column, both counted from 1 as in editors. */
export interface Position {
  readonly line: number
  readonly column: number
}

export interface Problem {
  /** The path of the key concerned; empty for a problem of the whole file. */
  readonly path: Path
  readonly at: Position | undefined
  /** A sentence that says what was found and what is expected. It contains no secret. */
  readonly text: string
}

/** Formats a problem as `config/connector.yaml:12:5 sources.mtarget-fr.pull.limit.min: found "ten"; a whole number …`. */
export const formatProblem = (file: string, { path, at, text }: Problem): string => {
  const place = at === undefined ? file : `${file}:${at.line}:${at.column}`
  const key = path.map(formatKey).join('.')
  return onOneLine(key === '' ? `${place}: ${text}` : `${place} ${key}: ${text}`)
}

const MAX_KEY_CHARACTERS = 100

/** Cuts a key at the first colon, equals sign or space: `{token:abc}`, without a space, is one key that holds a secret. */
const formatKey = (part: string | number): string => {
  const shown = /^[^:=\s]*/.exec(String(part))?.[0].slice(0, MAX_KEY_CHARACTERS) ?? ''
  return shown === String(part) ? shown : `${shown}…`
}

const onOneLine = (line: string): string => line.replace(/[\p{Cc}\u2028\u2029]/gu, '?')

export const hasPrefix = (path: Path, prefix: Path): boolean => prefix.every((part, index) => path[index] === part)

/** Sorts problems in the order of the file. Problems without a position come first. */
export const sortByPosition = (problems: readonly Problem[]): Problem[] =>
  [...problems].sort(({ at: a = START }, { at: b = START }) => a.line - b.line || a.column - b.column)

const START: Position = { line: 0, column: 0 }
