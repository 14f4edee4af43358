/**
 * `${NAME}`, `${NAME:-default}` and `${file:/path}` inside a string; `$${` stands for `${` itself.
 *
 * One pass from left to right. What was put in is never looked at again: neither for another `${`, nor as YAML.
 */
import { readFileSync } from 'node:fs'

export type Environment = Readonly<Record<string, string | undefined>>

export interface Substituted {
  readonly text: string
  /** What was put in, for people: `${NAME}`, `${file:/path}`; never a value and never a default. */
  readonly from: readonly string[]
  /** One sentence for each substitution that failed. */
  readonly problems: readonly string[]
}

const EXPRESSION = /\$\$\{|\$\{([^}]*)(\}?)/g
const VARIABLE = /^([A-Za-z_][A-Za-z0-9_]*)(?::-([^]*))?$/

export const substitute = (text: string, env: Environment): Substituted => {
  const from: string[] = []
  const problems: string[] = []
  const result = text.replace(EXPRESSION, (whole: string, inner: string | undefined, closed: string) => {
    if (inner === undefined) return '${'
    try {
      if (closed === '') throw new Refusal('"${" has no "}"; write "$${" where "${" itself is meant')
      const found = resolve(inner, env)
      from.push(found.label)
      return found.value
    } catch (error) {
      if (!(error instanceof Refusal)) throw error
      problems.push(error.message)
      return whole
    }
  })
  return { text: result, from, problems }
}

class Refusal extends Error {}

const resolve = (inner: string, env: Environment): { label: string; value: string } => {
  if (inner.startsWith('file:')) {
    const path = inner.slice('file:'.length)
    return { label: `\${file:${path}}`, value: readText(path).replace(/[\r\n]+$/, '') }
  }
  const [, name, fallback] = VARIABLE.exec(inner) ?? []
  if (name === undefined) {
    throw new Refusal('"${…}" holds neither NAME, NAME:-default nor file:PATH; write "$${" where "${" itself is meant')
  }
  if (fallback?.includes('${'))
    throw new Refusal(`the default of \${${name}} holds another "\${", which is not supported`)
  const value = Object.hasOwn(env, name) ? env[name] : undefined
  // As in a shell, `:-` also serves where the variable is set to nothing.
  if (fallback !== undefined && (value === undefined || value === '')) return { label: `\${${name}}`, value: fallback }
  if (value === undefined) {
    throw new Refusal(`the environment variable ${name} is not set; set it, or write \${${name}:-default}`)
  }
  return { label: `\${${name}}`, value }
}

const readText = (path: string): string => {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(readFileSync(path))
  } catch (error) {
    throw new Refusal(`the file ${JSON.stringify(path)} ${whyUnreadable(error)}`)
  }
}

/** Never the error's own message: it may quote what it was given. */
export const whyUnreadable = (error: unknown): string => {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  if (code === 'ENOENT') return 'does not exist'
  if (code === 'EACCES' || code === 'EPERM') return 'may not be read by this user'
  if (code === 'EISDIR') return 'is a directory'
  if (code === 'ERR_ENCODING_INVALID_ENCODED_DATA') return 'is not UTF-8 text'
  return `could not be read (${String(code)})`
}
