/** Loads a configuration that a test gives as YAML. */
import { fileURLToPath } from 'node:url'
import { parseConfig } from '../../src/config/load.js'
import type { Config } from '../../src/config/types.js'
import { formatProblem } from '../../src/yaml/problem.js'

export const fixture = (name: string): string => fileURLToPath(new URL(`fixtures/${name}`, import.meta.url))

/** The keys that every configuration needs. Tests append further sections to it. */
export const REQUIRED = `
kafka: {brokers: ['127.0.0.1:9092']}
registry: {url: 'http://127.0.0.1:8081'}
sources: {one: {provider: seven, callback: {open: true}}}
`

type Env = Readonly<Record<string, string | undefined>>

export const load = (yaml: string, env: Env = {}): Config => {
  const { config, problems } = parseConfig(yaml, env, 'host-1')
  if (config === undefined) throw new Error(problems.map((each) => formatProblem('c.yaml', each)).join('\n'))
  return config
}

/** The problems of a configuration, each as `c.yaml:<line>:<column> <key>: <text>`. */
export const problemsOf = (yaml: string, env: Env = {}): string[] =>
  (parseConfig(yaml, env, 'host-1').problems ?? []).map((each) => formatProblem('c.yaml', each))

/** A configuration with one source, whose keys are given in YAML's flow style. */
export const withSource = (keys: string): string => `
kafka: {brokers: ['127.0.0.1:9092']}
registry: {url: 'http://127.0.0.1:8081'}
sources:
  one: {${keys}}
`

/** A configuration with further keys in the section `kafka`. */
export const withKafka = (keys: string): string => `
kafka:
  brokers: ['127.0.0.1:9092']
${keys.replace(/^/gm, '  ')}
registry: {url: 'http://127.0.0.1:8081'}
sources: {one: {provider: seven, callback: {open: true}}}
`
