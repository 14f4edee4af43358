/**
 * `check`: would `run` work? Looks, changes nothing: creates no topic, registers no schema, and begins no transaction,
 * which would fence a running connector of the same instance.
 */
import { accessSync, constants, existsSync, statSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { systemClock as clock } from '../core/clock.js'
import { configurationWarnings } from '../config/warnings.js'
import type { Config } from '../config/types.js'
import { loadConfig } from '../config/load.js'
import { redact } from '../masking/secrets.js'
import { RegistryClient } from '../registry/registry-client.js'
import { EVENT_KINDS } from '../registry/schemas.js'
import { inspectWriterSchema } from '../registry/writer-schema.js'
import { ConnectorError, hasCode, messageOf } from '../core/errors.js'
import { createLog } from '../admin/log.js'
import { fetchTopicPartitions } from '../kafka/topics.js'
import { kafkaSettings, subjectsOf } from '../app/publishing.js'

export interface CheckOptions {
  readonly config: string
  readonly json: boolean
}

interface Finding {
  readonly name: string
  readonly ok: boolean
  readonly detail: string
  readonly exitCode: number
}

/** @returns 0; 2: a schema is refused; 3: a dependency can't be reached or refuses us; 1: the journal can't be used */
export async function check({ config: file, json }: CheckOptions): Promise<number> {
  const config = loadConfig(file, process.env)
  const findings = [
    await finding('configuration', () =>
      [`${file}: ${config.sources.size} source(s)`, ...configurationWarnings(config)].join('; '),
    ),
    await finding('journal', () => lookAtDirectory(config.journal.directory)),
    ...(await lookAtSchemas(config)),
    await finding('kafka', () => lookAtKafka(config)),
    ...(config.sharing ? [await finding('sharing', () => lookAtSharing(config, config.sharing!.topic))] : []),
  ]
  process.stdout.write(
    json
      ? `${JSON.stringify({ ok: findings.every(({ ok }) => ok), checks: findings, configuration: redact(config) })}\n`
      : table(findings),
  )
  return findings.find(({ ok }) => !ok)?.exitCode ?? 0
}

async function finding(name: string, look: () => string | Promise<string>): Promise<Finding> {
  try {
    return { name, ok: true, detail: await look(), exitCode: 0 }
  } catch (error) {
    return { name, ok: false, detail: messageOf(error), exitCode: error instanceof ConnectorError ? error.exitCode : 1 }
  }
}

/** A directory that does not exist yet is made by `run`; then its nearest parent must be writable. */
function lookAtDirectory(directory: string): string {
  const whole = resolve(directory)
  let existing = whole
  while (!existsSync(existing)) existing = dirname(existing)
  try {
    if (!statSync(existing).isDirectory()) throw new Error('it is not a directory')
    accessSync(existing, constants.W_OK)
  } catch (error) {
    throw new ConnectorError(
      'JOURNAL_UNUSABLE',
      `${existing} can't be written to: ${messageOf(error)}; see journal.directory`,
    )
  }
  return `${whole} ${existing === whole ? 'can be written to' : 'can be made'}`
}

function lookAtSchemas(config: Config): Promise<Finding[]> {
  const api = new RegistryClient(config.registry)
  const subjects = subjectsOf(config)
  const looks = EVENT_KINDS.map((kind) =>
    finding(`schema ${subjects[kind].name}`, () =>
      inspectWriterSchema(api, subjects[kind].name, subjects[kind].schema, config.registry.register),
    ),
  )
  return Promise.all(looks).finally(() => api.close())
}

async function lookAtKafka(config: Config): Promise<string> {
  const log = createLog({ ...config.log, level: 'silent', instance: config.instance })
  try {
    const partitions = await fetchTopicPartitions(kafkaSettings(config), clock, log)
    return [...partitions].map(([topic, count]) => `${topic} (${count} partitions)`).join(', ')
  } catch (error) {
    if (!hasCode(error, 'TOPIC_MISSING') || !config.kafka.createTopics) throw error
    return `${messageOf(error).replace(/;.*/, '')}: run will create what is missing (kafka.createTopics)`
  }
}

/** The topic that replicas share the work through: only its absence can be seen without joining the group. */
async function lookAtSharing(config: Config, topic: string): Promise<string> {
  const log = createLog({ ...config.log, level: 'silent', instance: config.instance })
  try {
    const partitions = await fetchTopicPartitions({ ...kafkaSettings(config), topics: { sharing: topic } }, clock, log)
    return `${topic} (${partitions.get(topic)} partitions)`
  } catch (error) {
    if (!hasCode(error, 'TOPIC_MISSING') || !config.kafka.createTopics) throw error
    return `${messageOf(error).replace(/;.*/, '')}: run will create it (kafka.createTopics)`
  }
}

const table = (findings: readonly Finding[]): string => {
  const width = Math.max(...findings.map(({ name }) => name.length))
  return findings
    .map(({ name, ok, detail }) => `${ok ? 'ok    ' : 'FAILED'}  ${name.padEnd(width)}  ${detail}\n`)
    .join('')
}
