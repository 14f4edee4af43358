/**
 * `check` tests whether `run` would work, and changes nothing: it creates no topic, registers no schema, and begins no
 * transaction, which would fence a running connector of the same instance.
 */
import { accessSync, constants, existsSync, statSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { createLog } from '../admin/log.js'
import { kafkaSettings, subjectsOf } from '../app/publishing.js'
import { loadConfig } from '../config/load.js'
import type { Config } from '../config/types.js'
import { configurationWarnings } from '../config/warnings.js'
import { systemClock } from '../core/clock.js'
import { ConnectorError, messageOf } from '../core/errors.js'
import { MissingTopicsError, fetchTopicPartitions } from '../kafka/topics.js'
import { redact } from '../masking/secrets.js'
import { RegistryClient } from '../registry/registry-client.js'
import { EVENT_KINDS } from '../registry/schemas.js'
import { inspectWriterSchema } from '../registry/writer-schema.js'

export interface CheckOptions {
  readonly config: string
  readonly json: boolean
}

/** The result of one check, as `check --json` prints it. */
interface CheckResult {
  readonly name: string
  readonly ok: boolean
  readonly detail: string
  /** What may go wrong nevertheless, as sentences. It does not change the exit code. */
  readonly warnings: readonly string[]
  readonly exitCode: number
}

/** What a test found: a detail in a few words, and warnings. */
type Finding = string | { readonly result: string; readonly warnings: readonly string[] }

/**
 * @returns 0; 2 if a schema is refused; 3 if a dependency can't be reached or refuses; 1 if the journal can't be used
 * @throws ConnectorError CONFIG_INVALID
 */
export async function check({ config: file, json }: CheckOptions): Promise<number> {
  const config = loadConfig(file, process.env)
  const { sharing } = config
  const results = [
    await runCheck('configuration', () => describeConfiguration(file, config)),
    await runCheck('journal', () => checkJournalDirectory(config.journal.directory)),
    ...(await checkSchemas(config)),
    await runCheck('kafka', () => checkTopics(config, config.kafka.topics)),
    // Whether the group can be joined is not tested, because joining would move sources to this process.
    ...(sharing ? [await runCheck('sharing', () => checkTopics(config, { sharing: sharing.topic }))] : []),
  ]
  process.stdout.write(json ? toJson(results, config) : toTable(results))
  return results.find(({ ok }) => !ok)?.exitCode ?? 0
}

/** @param test returns what was found, and throws if the check fails */
async function runCheck(name: string, test: () => Finding | Promise<Finding>): Promise<CheckResult> {
  try {
    const finding = await test()
    const { result, warnings } = typeof finding === 'string' ? { result: finding, warnings: [] } : finding
    return { name, ok: true, detail: result, warnings, exitCode: 0 }
  } catch (error) {
    return {
      name,
      ok: false,
      detail: messageOf(error),
      warnings: [],
      exitCode: error instanceof ConnectorError ? error.exitCode : 1,
    }
  }
}

const describeConfiguration = (file: string, config: Config): string =>
  [`${file}: ${config.sources.size} source(s)`, ...configurationWarnings(config)].join('; ')

/** `run` creates a directory that does not exist, so then its nearest existing parent must be writable. */
function checkJournalDirectory(directory: string): string {
  const path = resolve(directory)
  let existing = path
  while (!existsSync(existing)) {
    existing = dirname(existing)
  }
  try {
    if (!statSync(existing).isDirectory()) throw new Error('it is not a directory')
    accessSync(existing, constants.W_OK)
  } catch (error) {
    throw new ConnectorError(
      'JOURNAL_UNUSABLE',
      `${existing} can't be written to: ${messageOf(error)}; see journal.directory`,
    )
  }
  return `${path} ${existing === path ? 'can be written to' : 'can be created'}`
}

async function checkSchemas(config: Config): Promise<CheckResult[]> {
  const api = new RegistryClient(config.registry)
  const subjects = subjectsOf(config)
  const checks = EVENT_KINDS.map((kind) =>
    runCheck(`schema ${subjects[kind].name}`, () => inspectWriterSchema(api, subjects[kind], config.registry.register)),
  )
  try {
    return await Promise.all(checks)
  } finally {
    await api.close()
  }
}

async function checkTopics(config: Config, topics: Readonly<Record<string, string>>): Promise<string> {
  const log = createLog({ ...config.log, level: 'silent', instance: config.instance }, { write: () => undefined })
  try {
    const partitions = await fetchTopicPartitions(kafkaSettings(config), Object.values(topics), systemClock, log)
    return [...partitions].map(([topic, count]) => `${topic} (${count} partitions)`).join(', ')
  } catch (error) {
    if (!(error instanceof MissingTopicsError) || !config.kafka.createTopics) throw error
    return `no topic ${error.topics.join(', ')} on the cluster: run will create what is missing (kafka.createTopics)`
  }
}

const toJson = (results: readonly CheckResult[], config: Config): string =>
  `${JSON.stringify({ ok: results.every(({ ok }) => ok), checks: results, configuration: redact(config) })}\n`

const toTable = (results: readonly CheckResult[]): string => {
  const nameWidth = Math.max(...results.map(({ name }) => name.length))
  return results
    .flatMap(({ name, ok, detail, warnings }) => [
      `${ok ? 'ok     ' : 'FAILED '}  ${name.padEnd(nameWidth)}  ${detail}\n`,
      ...warnings.map((warning) => `warning  ${name.padEnd(nameWidth)}  ${warning}\n`),
    ])
    .join('')
}
