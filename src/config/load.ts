/**
 * From a file to a configuration, or to all that is wrong with it.
 *
 * Read -> substitute -> check and convert. Each step goes as far as it can, so that one start tells every problem.
 */
import { readFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { ConnectorError } from '../core/errors.js'
import type { Config } from './types.js'
import { toProblems } from './validation-problems.js'
import { readYaml } from '../yaml/document.js'
import { formatProblem, sortByPosition, hasPrefix, type Path, type Problem } from '../yaml/problem.js'
import { schema } from './schema.js'
import { INSTANCE, INSTANCE_EXPECTED } from './server.js'
import { substitute, whyUnreadable, type Environment } from './substitute.js'

/** Far above any configuration; keeps a wrong file from being parsed at length. */
const MAX_FILE_BYTES = 4 * 1024 * 1024

export type Result =
  | { readonly config: Config; readonly problems?: never }
  | { readonly problems: readonly Problem[]; readonly config?: never }

/**
 * @param file as given on the command line; problems begin with it
 * @throws ConnectorError CONFIG_INVALID whose message has one line for each problem, and never a secret
 */
export const loadConfig = (file: string, env: Environment, hostName: string = hostname()): Config => {
  const { config, problems } = readConfig(file, env, hostName)
  if (config !== undefined) return config
  throw new ConnectorError('CONFIG_INVALID', problems.map((problem) => formatProblem(file, problem)).join('\n'))
}

export const readConfig = (file: string, env: Environment, hostName: string = hostname()): Result => {
  let text: string
  try {
    const bytes = readFileSync(file)
    if (bytes.length > MAX_FILE_BYTES) return refuse('is too large for a configuration')
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch (error) {
    return refuse(`${whyUnreadable(error)}; name the configuration with --config FILE or CONNECTOR_CONFIG`)
  }
  return parseConfig(text, env, hostName)
}

export const parseConfig = (text: string, env: Environment, hostName: string): Result => {
  const document = readYaml(text)
  if (document.problems.length > 0) return { problems: sortByPosition(document.problems) }
  if (document.tree === null) return refuse('is empty; kafka.brokers, registry.url and sources are needed')
  if (!isSection(document.tree)) return refuse('holds no "key: value" lines; see config/connector.yaml for an example')

  const { tree, problems, origins } = substituteAll(document.tree, env)
  const checked = schema.safeParse(withRequiredSections(tree), { reportInput: true })
  const unresolved = problems.map(({ path }) => path)
  const origin = { locate: document.locate, substitutedFrom: (path: Path) => labelsAt(origins, path) }
  const found = (checked.error?.issues ?? [])
    .flatMap((issue) => toProblems(issue, origin))
    // What could not be substituted has been told already.
    .filter(({ path }) => !unresolved.some((each) => hasPrefix(path, each)))
  const all = [...problems.map((problem) => ({ ...problem, at: document.locate(problem.path) })), ...found]

  const instance = checked.data?.instance ?? hostName
  if (!('instance' in tree) && !new RegExp(INSTANCE).test(hostName)) {
    all.push({
      path: ['instance'],
      at: undefined,
      text: `is missing, and the host name can't serve; ${INSTANCE_EXPECTED} is expected`,
    })
  }
  if (all.length > 0 || checked.data === undefined) return { problems: sortByPosition(all) }
  return { config: freeze({ ...checked.data, instance }) }
}

const refuse = (text: string): Result => ({ problems: [{ path: [], at: undefined, text }] })

const isSection = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** So that a missing section is told by the keys that it must hold. */
const withRequiredSections = (tree: Record<string, unknown>): Record<string, unknown> => ({
  ...tree,
  kafka: tree['kafka'] ?? {},
  registry: tree['registry'] ?? {},
})

interface Origins {
  readonly path: Path
  readonly labels: readonly string[]
}

const labelsAt = (origins: readonly Origins[], path: Path): readonly string[] =>
  origins.find((each) => hasPrefix(path, each.path))?.labels ?? []

const substituteAll = (root: Record<string, unknown>, env: Environment) => {
  const problems: Problem[] = []
  const origins: Origins[] = []
  const walk = (value: unknown, path: Path): unknown => {
    if (typeof value === 'string') {
      const { text, from, problems: failed } = substitute(value, env)
      if (from.length > 0) origins.push({ path, labels: from })
      for (const each of failed) problems.push({ path, at: undefined, text: each })
      return text
    }
    if (Array.isArray(value)) return value.map((each, index) => walk(each, [...path, index]))
    if (isSection(value)) return walkSection(value, path)
    return value
  }
  const walkSection = (value: Record<string, unknown>, path: Path): Record<string, unknown> =>
    Object.fromEntries(Object.entries(value).map(([key, each]) => [key, walk(each, [...path, key])]))
  return { tree: walkSection(root, []), problems, origins }
}

const freeze = <T>(value: T): T => {
  if (typeof value !== 'object' || value === null) return value
  if (value instanceof Map) value.forEach(freeze)
  else Object.values(value).forEach(freeze)
  return Object.freeze(value)
}
