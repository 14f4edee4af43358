/** What is wrong with a configuration file, and where; see `describe.ts` for how a validator's issue becomes one. */

export type Path = readonly (string | number)[]

/** Both count from 1, as editors do. */
export interface Position {
  readonly line: number
  readonly column: number
}

export interface Problem {
  /** Of the key concerned; empty where it is the file as a whole. */
  readonly path: Path
  readonly at: Position | undefined
  /** A sentence without any secret: what was found, what is expected. */
  readonly text: string
}

/** `config/connector.yaml:12:5 sources.mtarget-fr.pull.limit.min: found "ten"; a whole number …` */
export const formatProblem = (file: string, { path, at, text }: Problem): string => {
  const place = at === undefined ? file : `${file}:${at.line}:${at.column}`
  const key = path.map(showKey).join('.')
  return onOneLine(key === '' ? `${place}: ${text}` : `${place} ${key}: ${text}`)
}

const LONGEST_KEY = 100

/** A blank forgotten in `{token:abc}` makes a key of both: what follows the name may be a secret. */
const showKey = (part: string | number): string => {
  const shown = /^[^:=\s]*/.exec(String(part))?.[0].slice(0, LONGEST_KEY) ?? ''
  return shown === String(part) ? shown : `${shown}…`
}

const onOneLine = (line: string): string => line.replace(/[\p{Cc}\u2028\u2029]/gu, '?')

export const hasPrefix = (path: Path, prefix: Path): boolean => prefix.every((part, index) => path[index] === part)

/** In the order of the file. */
export const sortByPosition = (problems: readonly Problem[]): Problem[] =>
  [...problems].sort((a, b) => line(a) - line(b) || column(a) - column(b))

const line = (problem: Problem): number => problem.at?.line ?? 0
const column = (problem: Problem): number => problem.at?.column ?? 0
