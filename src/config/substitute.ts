/**
 * Substitution of `${NAME}`, `${NAME:-default}` and `${file:/path}` inside the strings of a configuration; `$${` stands
 * for a literal `${`.
 *
 * A string is read once from left to right. Substituted text is not read again, neither for another `${` nor as YAML.
 */
import { hasPrefix, type Path } from '../yaml/problem.js'
import { readConfigFile } from './read-file.js'

export type Environment = Readonly<Record<string, string | undefined>>

/**
 * Substitutes in every string of a configuration, at any depth. Keys are left as they are.
 * @returns the new tree; a problem without a position for each substitution that failed; and a function that returns the
 *   substitutions that the value at a path contains, as they may be shown
 */
export const substituteTree = (root: unknown, env: Environment) => {
  const problems: { path: Path; text: string }[] = []
  const substituted: { path: Path; from: readonly string[] }[] = []
  const visit = (value: unknown, path: Path): unknown => {
    if (typeof value === 'string') {
      const { text, from, problems: failed } = substitute(value, env)
      if (from.length > 0) substituted.push({ path, from })
      problems.push(...failed.map((problem) => ({ path, text: problem })))
      return text
    }
    if (Array.isArray(value)) return value.map((each, index) => visit(each, [...path, index]))
    if (typeof value !== 'object' || value === null) return value
    return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, visit(each, [...path, key])]))
  }
  return {
    tree: visit(root, []),
    problems,
    substitutedFrom: (path: Path): readonly string[] =>
      substituted.find((each) => hasPrefix(path, each.path))?.from ?? [],
  }
}

export interface SubstitutedText {
  readonly text: string
  /** The substitutions that were made, as they may be shown: `${NAME}`, `${file:/path}`; never a value or a default. */
  readonly from: readonly string[]
  /** One sentence for each substitution that failed. */
  readonly problems: readonly string[]
}

const EXPRESSION = /\$\$\{|\$\{([^}]*)(\}?)/g
const VARIABLE = /^([A-Za-z_][A-Za-z0-9_]*)(?::-([^]*))?$/

export const substitute = (text: string, env: Environment): SubstitutedText => {
  const from: string[] = []
  const problems: string[] = []
  const result = text.replace(EXPRESSION, (whole: string, inner: string | undefined, closingBrace: string) => {
    if (inner === undefined) return '${'
    try {
      if (closingBrace === '') throw new SubstitutionError('"${" has no closing "}"; write "$${" for a literal "${"')
      const { label, value } = resolve(inner, env)
      from.push(label)
      return value
    } catch (error) {
      if (!(error instanceof SubstitutionError)) throw error
      problems.push(error.message)
      return whole
    }
  })
  return { text: result, from, problems }
}

class SubstitutionError extends Error {}

/** Resolves what stands between the braces. @throws SubstitutionError */
const resolve = (inner: string, env: Environment): { label: string; value: string } => {
  if (inner.startsWith('file:')) {
    const path = inner.slice('file:'.length)
    return { label: `\${file:${path}}`, value: readText(path).replace(/[\r\n]+$/, '') }
  }
  const [, name, fallback] = VARIABLE.exec(inner) ?? []
  if (name === undefined) {
    throw new SubstitutionError(
      '"${…}" contains neither NAME, NAME:-default nor file:PATH; write "$${" for a literal "${"',
    )
  }
  if (fallback?.includes('${')) {
    throw new SubstitutionError(`the default of \${${name}} contains another "\${", which is not supported`)
  }
  const label = `\${${name}}`
  const value = Object.hasOwn(env, name) ? env[name] : undefined
  // As in a shell, the default after `:-` also applies to a variable that is set to an empty value.
  if (fallback !== undefined && (value === undefined || value === '')) return { label, value: fallback }
  if (value !== undefined) return { label, value }
  throw new SubstitutionError(`the environment variable ${name} is not set; set it, or write \${${name}:-default}`)
}

const readText = (path: string): string => {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(readConfigFile(path))
  } catch (error) {
    throw new SubstitutionError(`the file ${JSON.stringify(path)} ${describeReadError(error)}`)
  }
}

/** Why a file could not be read, as the end of a sentence. The error's own message may quote a secret. */
export const describeReadError = (error: unknown): string => {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  if (code === 'ENOENT') return 'does not exist'
  if (code === 'EACCES' || code === 'EPERM') return 'may not be read by this user'
  if (code === 'EISDIR') return 'is a directory'
  if (code === 'NOT_A_FILE') return 'is not a regular file'
  if (code === 'TOO_LARGE') return 'is larger than 1 MiB'
  if (code === 'ERR_ENCODING_INVALID_ENCODED_DATA') return 'is not UTF-8 text'
  return `could not be read (${String(code)})`
}
