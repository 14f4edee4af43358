/**
 * Loads the configuration: reads the file, substitutes, checks and converts.
 *
 * Each step continues as far as it can after a problem, so that one start reports all problems.
 */
import { existsSync } from 'node:fs'
import { hostname } from 'node:os'
import { fileURLToPath } from 'node:url'
import { ConnectorError } from '../core/errors.js'
import { rememberSecretsOf } from '../masking/known-secrets.js'
import { readYaml } from '../yaml/document.js'
import { formatProblem, hasPrefix, sortByPosition, type Problem } from '../yaml/problem.js'
import { toProblem } from './problems.js'
import { proxyFromEnvironment } from './proxy.js'
import { readConfigFile } from './read-file.js'
import { INSTANCE_EXPECTED, INSTANCE_PATTERN } from './root-sections.js'
import { CODED_PROVIDERS, type KnownProviders } from './provider-traits.js'
import { createSchema } from './schema.js'
import { describeReadError, substituteTree, type Environment } from './substitute.js'
import type { Config } from './types.js'

/** The example with every key, which the npm package contains too. */
const EXAMPLE = fileURLToPath(new URL('../../config/connector.yaml', import.meta.url))

export type ParsedConfig =
  | { readonly config: Config; readonly problems?: never }
  | { readonly problems: readonly Problem[]; readonly config?: never }

/** Returns the providers that a configuration can name. @param directory `providers.directory` of the configuration */
export type FindProviders = (directory: string | undefined) => KnownProviders

const onlyCodedProviders: FindProviders = () => CODED_PROVIDERS

export interface LoadOptions {
  /** Serves as `instance` where the configuration has none. */
  readonly hostName?: string
  readonly findProviders?: FindProviders
}

/**
 * @param file as given on the command line; each line of an error begins with it
 * @throws ConnectorError CONFIG_INVALID: its message has one line for each problem, and contains no secret
 */
export const loadConfig = (file: string, env: Environment, options: LoadOptions = {}): Config => {
  const { config, problems } = readConfig(file, env, options)
  if (config !== undefined) return config
  throw new ConnectorError('CONFIG_INVALID', problems.map((problem) => formatProblem(file, problem)).join('\n'))
}

const readConfig = (
  file: string,
  env: Environment,
  { hostName = hostname(), findProviders }: LoadOptions,
): ParsedConfig => {
  let text: string
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(readConfigFile(file))
  } catch (error) {
    const advice = 'name the configuration with --config FILE or CONNECTOR_CONFIG'
    return refuseFile(`${describeReadError(error)}; ${advice}${isMissing(error) ? whereToBegin() : ''}`)
  }
  return parseConfig(text, env, hostName, findProviders)
}

/** A list of the wrong kind may have as many problems as elements. Nobody reads them all, and each is looked up in the file. */
const MAX_SHOWN_PROBLEMS = 200

const tooManyProblems = (count: number): Problem => ({ path: [], at: undefined, text: `has ${count} problems more` })

const isMissing = (error: unknown): boolean => (error as NodeJS.ErrnoException).code === 'ENOENT'

/** The image has the example not here, but where it looks for the configuration. */
const whereToBegin = (): string =>
  existsSync(EXAMPLE) ? `; to begin, copy the example ${EXAMPLE}, which explains every key` : ''

/** @param hostName serves as `instance` where the configuration has none */
export const parseConfig = (
  text: string,
  env: Environment,
  hostName: string,
  findProviders = onlyCodedProviders,
): ParsedConfig => {
  const document = readYaml(text)
  if (document.problems.length > 0) return { problems: sortByPosition(document.problems) }
  if (document.tree === null) return refuseFile('is empty; kafka.brokers, registry.url and sources are required')
  if (!isSection(document.tree)) {
    return refuseFile('contains no "key: value" lines; see config/connector.yaml for an example')
  }

  const substitution = substituteTree(document.tree, env)
  const origin = { locate: document.locate, substitutedFrom: substitution.substitutedFrom }
  const unresolved = substitution.problems.map(({ path }) => path)
  const schema = createSchema(findProviders(directoryOf(substitution.tree as Section)))
  // From here on no output shows them, whoever repeats them; nor do the problems of a configuration that has one in a wrong place.
  rememberSecretsOf(substitution.tree as Section)
  const checked = schema.safeParse(withRequiredSections(substitution.tree as Section), { reportInput: true })
  const issues = checked.error?.issues ?? []
  const shownIssues = issues.slice(0, MAX_SHOWN_PROBLEMS)
  const environmentProxy = 'proxy' in document.tree ? undefined : proxyFromEnvironment(env)
  const problems = [
    ...substitution.problems
      .slice(0, MAX_SHOWN_PROBLEMS)
      .map((problem) => ({ ...problem, at: document.locate(problem.path) })),
    ...shownIssues
      .map((issue) => toProblem(issue, origin))
      // A value whose substitution failed is reported once.
      .filter(({ path }) => !unresolved.some((failed) => hasPrefix(path, failed))),
    ...('instance' in document.tree ? [] : problemsOfHostName(hostName)),
    ...(environmentProxy?.problems ?? []),
    ...(issues.length > shownIssues.length ? [tooManyProblems(issues.length - shownIssues.length)] : []),
  ]
  if (problems.length > 0 || checked.data === undefined) return { problems: sortByPosition(problems) }
  const proxy = checked.data.proxy ?? environmentProxy?.settings
  const config = { ...checked.data, instance: checked.data.instance ?? hostName, ...(proxy && { proxy }) }
  rememberSecretsOf(config)
  return { config: deepFreeze(config) }
}

type Section = Readonly<Record<string, unknown>>

/** The directory is needed to check the rest, so it is read before that. What is wrong with it is reported with the rest. */
const directoryOf = ({ providers }: Section): string | undefined => {
  const directory = isSection(providers) ? providers['directory'] : undefined
  return typeof directory === 'string' && directory !== '' ? directory : undefined
}

const refuseFile = (text: string): ParsedConfig => ({ problems: [{ path: [], at: undefined, text }] })

const isSection = (value: unknown): value is Section =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** A required section that is missing is reported by the keys that it must have. */
const withRequiredSections = (tree: Section): Section => ({
  ...tree,
  kafka: tree['kafka'] ?? {},
  registry: tree['registry'] ?? {},
})

const problemsOfHostName = (hostName: string): Problem[] => {
  if (new RegExp(INSTANCE_PATTERN).test(hostName)) return []
  const text = `is missing, and the host name can't serve as its default; ${INSTANCE_EXPECTED} is expected`
  return [{ path: ['instance'], at: undefined, text }]
}

const deepFreeze = <T>(value: T): T => {
  if (typeof value !== 'object' || value === null) return value
  if (value instanceof Map) value.forEach(deepFreeze)
  else Object.values(value).forEach(deepFreeze)
  return Object.freeze(value)
}
