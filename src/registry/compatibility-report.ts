/**
 * Reports whether a schema may be registered in its subject: by the registry's own test, and by a comparison with each version
 * that names the field and the rule of Avro that it breaks.
 */
import { ConnectorError, hasCode, messageOf } from '../core/errors.js'
import { findIncompatibilities } from './compatibility.js'
import { findContractBreaks, findResolutionError } from './published-contract.js'
import type { RegistryClient } from './registry-client.js'
import type { EventSchema, Subject } from './schemas.js'
import { inspectWriterSchema, isTransitive, resolveWriterSchema } from './writer-schema.js'

/** What the schema breaks against one version. */
export interface VersionReport {
  readonly version: number
  /** The level that the comparison was made by. */
  readonly level: string
  /** Empty if the schema fits the version. */
  readonly reasons: readonly string[]
}

/**
 * - `registered`: the subject holds the schema.
 * - `compatible`: the registry accepts it.
 * - `untested`: the registry accepts it without a test, or tests it only when it is registered.
 * - `refused`: the registry refuses it.
 * - `unknown`: the registry can't be reached or refuses this account.
 */
export type SubjectState = 'registered' | 'compatible' | 'untested' | 'refused' | 'unknown'

export interface SubjectReport {
  readonly subject: string
  /** Full name of the schema. */
  readonly schema: string
  readonly state: SubjectState
  /** The compatibility level of the subject; undefined if the registry names none. */
  readonly level?: string | undefined
  readonly id?: number | undefined
  /** The state as a sentence, with what to do about it. */
  readonly detail: string
  /** With `refused`: the versions that the schema does not fit. */
  readonly versions: readonly VersionReport[]
  readonly warnings: readonly string[]
  /** The exit code that this state calls for. */
  readonly exitCode: number
}

/** The level at which the versions of a release follow each other: both old consumers and old records stay usable. */
const RELEASE_LEVEL = 'FULL_TRANSITIVE'

/** Compares the schema with every version that was ever published: by the rules of Avro, by our policy, and by avsc. */
export const compareWithHistory = ({
  text,
  publishedVersions,
}: Pick<EventSchema, 'text' | 'publishedVersions'>): VersionReport[] =>
  publishedVersions.map((published, index) => {
    const reasons = [...findIncompatibilities(RELEASE_LEVEL, text, published), ...findContractBreaks(text, published)]
    const error = reasons.length > 0 ? undefined : findResolutionError(text, published)
    return { version: index + 1, level: RELEASE_LEVEL, reasons: error === undefined ? reasons : [error] }
  })

/**
 * Asks the registry about a subject, and registers nothing.
 * @param register `registry.register` of the connector that will write
 */
export const checkSubject = (client: RegistryClient, subject: Subject, register: boolean): Promise<SubjectReport> =>
  report(client, subject, async (level) => {
    const { result, warnings, id, isTested } = await inspectWriterSchema(client, subject, true)
    if (id !== undefined) return { state: 'registered', detail: result, id, warnings }
    const state = isTested ? 'compatible' : 'untested'
    const detail = describeUnregistered(state, level)
    return { state, detail: register ? detail : `${detail}; ${await describeWaiting(client, subject)}`, warnings }
  })

/** Registers the schema where the subject does not hold it. The configuration of the subject is never changed. */
export const registerSubject = (client: RegistryClient, subject: Subject): Promise<SubjectReport> =>
  report(client, subject, async () => {
    const { id, warnings } = await resolveWriterSchema(client, subject, true)
    return { state: 'registered', detail: `registered with id ${id}`, id, warnings }
  })

type Finding = Pick<SubjectReport, 'state' | 'detail' | 'id' | 'warnings'>

async function report(
  client: RegistryClient,
  subject: Subject,
  inspect: (level: string | undefined) => Promise<Finding>,
): Promise<SubjectReport> {
  const names = { subject: subject.name, schema: subject.schema.name }
  let level: string | undefined
  try {
    level = await client.getCompatibilityLevel(subject.name)
    return { ...names, level, ...(await inspect(level)), versions: [], exitCode: 0 }
  } catch (error) {
    if (!(error instanceof ConnectorError)) throw error
    const isRefused = hasCode(error, 'SCHEMA_REFUSED')
    return {
      ...names,
      level,
      state: isRefused ? 'refused' : 'unknown',
      detail: messageOf(error),
      versions: isRefused ? await compareWithSubject(client, subject, level) : [],
      warnings: [],
      exitCode: error.exitCode,
    }
  }
}

/** Compares with the versions that the level makes the registry test. Returns those that the schema does not fit. */
async function compareWithSubject(
  client: RegistryClient,
  { name, schema }: Subject,
  level = '',
): Promise<VersionReport[]> {
  const numbers = await client.listVersions(name)
  const reports: VersionReport[] = []
  for (const version of isTransitive(level) ? numbers : numbers.slice(-1)) {
    const earlier = await client.getVersion(name, version)
    if (earlier === undefined) continue
    const reasons = findIncompatibilities(level, schema.text, earlier.schema)
    if (reasons.length > 0) reports.push({ version, level, reasons })
  }
  return reports
}

function describeUnregistered(state: 'compatible' | 'untested', level: string | undefined): string {
  if (state === 'compatible') return 'not registered yet, and compatible'
  if (level === 'NONE') return 'not registered yet; at level NONE the registry accepts it without a test'
  return 'not registered yet; this registry has no endpoint that tests compatibility, and decides when it is registered'
}

/** Says what a connector that must not register does until someone else has registered the schema. */
async function describeWaiting(client: RegistryClient, subject: Subject): Promise<string> {
  try {
    const { id } = await inspectWriterSchema(client, subject, false)
    return `until then connectors with registry.register: false write with schema id ${id}`
  } catch (error) {
    if (!hasCode(error, 'SCHEMA_REFUSED')) throw error
    return 'until then connectors with registry.register: false publish nothing'
  }
}
