/**
 * `schemas check` tests whether the schemas of this release fit those that were published and those in the registry.
 * `schemas register` registers them where they fit. Neither changes the configuration of a subject, and neither needs Kafka.
 */
import { registrySettings, subjectsOf } from '../app/publishing.js'
import { readConfiguration } from './configuration.js'
import {
  checkSubject,
  compareWithHistory,
  registerSubject,
  type SubjectReport,
  type VersionReport,
} from '../registry/compatibility-report.js'
import { RegistryClient } from '../registry/registry-client.js'
import { EVENT_KINDS, type EventSchema, type Subject } from '../registry/schemas.js'
import { printOutput } from './output.js'

export interface SchemasOptions {
  readonly config: string
  readonly json: boolean
}

/** How a schema fits the versions of it that were published before. */
interface HistoryReport {
  readonly schema: string
  readonly versions: readonly VersionReport[]
}

/**
 * @returns 0; 2 if a schema is refused; 3 if the registry can't be reached or refuses this account
 * @throws ConnectorError CONFIG_INVALID
 */
export const checkSchemas = (options: SchemasOptions): Promise<number> => runSchemas(options, checkSubject)

/**
 * Registers each schema that its subject does not hold and does not refuse.
 * @returns as `checkSchemas`
 * @throws ConnectorError CONFIG_INVALID
 */
export const registerSchemas = (options: SchemasOptions): Promise<number> => runSchemas(options, registerSubject)

async function runSchemas(
  { config: file, json }: SchemasOptions,
  inspect: (client: RegistryClient, subject: Subject, register: boolean) => Promise<SubjectReport>,
): Promise<number> {
  const config = readConfiguration(file)
  const client = new RegistryClient(registrySettings(config))
  const subjects = EVENT_KINDS.map((kind) => subjectsOf(config)[kind])
  const history = subjects.map(({ schema }) => toHistoryReport(schema))
  try {
    const reports: SubjectReport[] = []
    for (const subject of subjects) reports.push(await inspect(client, subject, config.registry.register))
    const exitCode = exitCodeOf(history, reports)
    const result = { ok: exitCode === 0, registry: client.url, history, subjects: reports.map(withoutExitCode) }
    await printOutput(json ? `${JSON.stringify(result)}\n` : toText(client.url, history, reports))
    return exitCode
  } finally {
    await client.close()
  }
}

const toHistoryReport = (schema: EventSchema): HistoryReport => ({
  schema: schema.name,
  versions: compareWithHistory(schema),
})

const REFUSED = 2

/** A refusal is certain, so it comes before what could not be found out. */
function exitCodeOf(history: readonly HistoryReport[], reports: readonly SubjectReport[]): number {
  const isBroken = history.some(({ versions }) => versions.some(({ reasons }) => reasons.length > 0))
  if (isBroken || reports.some(({ state }) => state === 'refused')) return REFUSED
  return reports.find(({ exitCode }) => exitCode !== 0)?.exitCode ?? 0
}

const withoutExitCode = ({ exitCode: _exitCode, ...report }: SubjectReport): Omit<SubjectReport, 'exitCode'> => report

/** Words of one width, so that the lines are a table. */
const STATE_WORDS: Readonly<Record<SubjectReport['state'], string>> = {
  registered: 'ok     ',
  compatible: 'ok     ',
  untested: 'untested',
  refused: 'REFUSED',
  unknown: 'FAILED ',
}

function toText(url: string, history: readonly HistoryReport[], reports: readonly SubjectReport[]): string {
  const lines = history.flatMap(({ schema, versions }) => {
    const broken = versions.filter(({ reasons }) => reasons.length > 0)
    const names = versions.map(({ version }) => version).join(', ') || 'none'
    if (broken.length === 0) return [`ok       ${schema}  fits the published versions (${names})`]
    return [`REFUSED  ${schema}  does not fit a published version`, ...broken.flatMap(toReasonLines)]
  })
  lines.push(`registry ${url}`)
  for (const { subject, state, level, detail, versions, warnings } of reports) {
    lines.push(`${STATE_WORDS[state].padEnd(8)} ${subject}  level ${level ?? 'unknown'}  ${detail}`)
    lines.push(...versions.flatMap(toReasonLines))
    lines.push(...warnings.map((warning) => `warning  ${subject}  ${warning}`))
  }
  return `${lines.join('\n')}\n`
}

const toReasonLines = ({ version, reasons }: VersionReport): string[] =>
  reasons.map((reason) => `         version ${version}: ${reason}`)
