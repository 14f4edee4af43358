/**
 * Finds the schema, and its id, that records of one kind are written with: looks it up in a subject, registers it where
 * that is allowed, or refuses with a reason. The configuration of a subject is never changed.
 */
import { ConnectorError, hasCode, messageOf } from '../core/errors.js'
import { findIncompatibilities, findUnreadable, isSameSchema } from './compatibility.js'
import { findDataLosses } from './data-loss.js'
import { RegistrationNotPermittedError, type RegistryClient, type SchemaVersion } from './registry-client.js'
import type { EventSchema, Subject } from './schemas.js'
import { quote } from '../masking/known-secrets.js'

export interface WriterSchema {
  readonly id: number
  /** JSON text of the schema with this id. */
  readonly schema: string
  /**
   * Present if the subject holds only a schema that an earlier version of ours can be written with: what the records do
   * not carry until a newer one is registered.
   */
  readonly losses?: readonly string[]
}

export interface ResolvedSchema extends WriterSchema {
  /**
   * Sentences on what is permitted and should be known nevertheless: fields that the records lack, and what consumers can't
   * read because the latest version of the subject and the schema of the records do not fit each other.
   */
  readonly warnings: readonly string[]
}

/**
 * Finds or registers the writer schema.
 * @throws ConnectorError SCHEMA_REFUSED with subject, level, reason and what to do; REGISTRY_UNREACHABLE, REGISTRY_REFUSED
 */
export async function resolveWriterSchema(
  client: RegistryClient,
  subject: Subject,
  register: boolean,
): Promise<ResolvedSchema> {
  const found = await findWriterSchema(client, subject, register)
  const writer: PossibleWriter = found ?? { schema: subject.schema.text }
  if (found) return { ...found, warnings: await findWarnings(client, subject, writer) }
  const { level } = await assertCompatible(client, subject)
  // After the registration the latest version is this one.
  const warnings = await findWarnings(client, subject, writer)
  const { schema } = writer
  const id = await registerSchema(client, subject, level)
  return { ...(await verifyId(client, subject, { id, schema })), warnings }
}

export interface WriterSchemaInspection {
  /** The result in a few words. */
  readonly result: string
  /** The warnings of `resolveWriterSchema`. */
  readonly warnings: readonly string[]
  /** The id of the schema that records would be written with; undefined if it is yet to be registered. */
  readonly id: number | undefined
  /** False if the registry accepts the schema without a test, or tests it only when it is registered. */
  readonly isTested: boolean
}

/**
 * Checks what `resolveWriterSchema` would do, without registering anything.
 * @throws ConnectorError as `resolveWriterSchema`
 */
export async function inspectWriterSchema(
  client: RegistryClient,
  subject: Subject,
  register: boolean,
): Promise<WriterSchemaInspection> {
  const found = await findWriterSchema(client, subject, register)
  if (found) {
    const result = `${found.schema === subject.schema.text ? 'registered' : 'can be written'} with id ${found.id}`
    return { result, warnings: await findWarnings(client, subject, found), id: found.id, isTested: true }
  }
  const test = await assertCompatible(client, subject)
  const warnings = await findWarnings(client, subject, { schema: subject.schema.text })
  return { result: describeTest(test), warnings, id: undefined, isTested: test.isTested }
}

/** The outcome of the compatibility test, of a schema that was not refused. */
interface CompatibilityTest {
  /** Undefined if the registry names none. */
  readonly level: string | undefined
  /** False if the registry has no endpoint that tests: it decides when the schema is registered. */
  readonly isTested: boolean
}

const describeTest = ({ level, isTested }: CompatibilityTest): string => {
  if (level === 'NONE') return 'accepted without a test (level NONE): run will register it'
  if (isTested) return 'compatible: run will register it'
  return 'this registry has no endpoint that tests compatibility: run will register it, and the registry may refuse it then'
}

/** Returns undefined if the subject does not hold our schema and we may register it. */
async function findWriterSchema(
  client: RegistryClient,
  subject: Subject,
  register: boolean,
): Promise<WriterSchema | undefined> {
  const schema = subject.schema.text
  const id = await client.findId(subject.name, schema)
  if (id !== undefined) return verifyId(client, subject, { id, schema })
  if (register) return undefined
  return (
    (await findNormalized(client, subject)) ?? verifyId(client, subject, await findWritableVersion(client, subject))
  )
}

/**
 * Finds our schema where its owner has registered it as another text: with other docs, or its keys in another order. A
 * registry may take schemas for the same that differ in what records hold, so the text of the id decides.
 */
async function findNormalized(client: RegistryClient, { name, schema }: Subject): Promise<WriterSchema | undefined> {
  const id = await client.findId(name, schema.text, 'normalized')
  const registered = id === undefined ? undefined : await client.getSchema(id)
  if (id === undefined || registered === undefined || !isSameSchema(registered, schema.text)) return undefined
  return { id, schema: registered }
}

/** Registers our schema. A registry that could not be asked before refuses an incompatible schema here. */
async function registerSchema(client: RegistryClient, subject: Subject, level: string | undefined): Promise<number> {
  try {
    return await client.register(subject.name, subject.schema.text)
  } catch (error) {
    if (!hasCode(error, 'SCHEMA_REFUSED')) throw error
    if (error instanceof RegistrationNotPermittedError) throw notPermittedError(subject, error)
    const reasons = await findReasons(client, subject, level)
    throw refusalError(subject, level, reasons.length > 0 ? reasons : [messageOf(error)], error)
  }
}

/**
 * Verifies that the registry returns the same schema for the id. It may return another one if two registries are behind
 * one address, if a cache is in between, or if its search accepts a similar schema; consumers could not read the records
 * then. A registry that does not permit this request, or does not know the id, is trusted.
 */
async function verifyId(client: RegistryClient, { name }: Subject, writer: WriterSchema): Promise<WriterSchema> {
  const { id, schema } = writer
  const registered = await client.getSchema(id).catch((error: unknown) => {
    if (hasCode(error, 'REGISTRY_UNREACHABLE')) throw error
    return undefined
  })
  if (registered === undefined || isSameSchema(registered, schema)) return writer
  throw new ConnectorError(
    'SCHEMA_REFUSED',
    `the registry at ${client.url} gives schema id ${id} for subject ${name}, and another schema for that id. ` +
      'Check that a single registry answers at that address; nothing is published until both agree',
  )
}

/**
 * Runs before a schema is registered, since some registries accept any schema where no rule is enforced on write.
 * @throws ConnectorError SCHEMA_REFUSED
 */
async function assertCompatible(client: RegistryClient, subject: Subject): Promise<CompatibilityTest> {
  const { name, schema } = subject
  const level = await client.getCompatibilityLevel(name)
  if (level === 'NONE') return { level, isTested: false }
  const result = await client.checkCompatibility(name, schema.text, isTransitive(level) ? 'all' : 'latest')
  if (result === undefined || result.isCompatible) return { level, isTested: result !== undefined }
  // The registry's own reasons may be no more than the name of a field, as those of Karapace are.
  const reasons = await findReasons(client, subject, level)
  throw refusalError(subject, level, reasons.length > 0 ? reasons : result.messages)
}

/** The reasons name fields of schemas that others have registered. */
const MAX_REASON_CHARACTERS = 1_000

const refusalError = (
  { name, schema }: Subject,
  level: string | undefined,
  reasons: readonly string[],
  cause?: unknown,
): ConnectorError =>
  new ConnectorError(
    'SCHEMA_REFUSED',
    `${schema.name} can't be registered in subject ${name} (level ${level ?? 'unknown'}): ` +
      `${quote(reasons.join('; '), MAX_REASON_CHARACTERS) || 'the registry gives no reason'}. ` +
      'Use another topic or another registry.subjectNaming, or change the subject in the registry; nothing is published until then',
    { cause },
  )

const notPermittedError = ({ name, schema }: Subject, cause: Error): ConnectorError =>
  new ConnectorError(
    'SCHEMA_REFUSED',
    `subject ${name} does not hold ${schema.name}, and the registry registers nothing there at present: ${cause.message}. ` +
      'Have its owner register the schema from the schemas folder or set the mode READWRITE; with registry.register: false ' +
      'the connector also writes with an earlier version that the subject holds. Nothing is published until then',
    { cause },
  )

/** Whether a level compares a schema to all versions of its subject, not only to the latest. */
export const isTransitive = (level = ''): boolean => level.endsWith('_TRANSITIVE')

async function findReasons(client: RegistryClient, { name, schema }: Subject, level = ''): Promise<string[]> {
  const versions = await client.listVersions(name)
  const reasons: string[] = []
  for (const version of isTransitive(level) ? versions : versions.slice(-1)) {
    const earlier = await client.getVersion(name, version)
    const found = earlier ? findIncompatibilities(level, schema.text, earlier.schema) : []
    reasons.push(...found.map((reason) => `version ${version}: ${reason}`))
  }
  return reasons
}

/** A writer schema. The id is absent for one that is not registered yet. */
type PossibleWriter = Partial<WriterSchema> & Pick<WriterSchema, 'schema'>

async function findWarnings(client: RegistryClient, subject: Subject, writer: PossibleWriter): Promise<string[]> {
  const { losses } = writer
  const older = losses && `subject ${subject.name} holds only an older schema: ${describeLosses(losses)}`
  return [...(older === undefined ? [] : [older]), ...(await findUnreadableByConsumers(client, subject, writer))]
}

/**
 * Compares the schema that records are written with to the latest version of the subject, in both directions. No level but
 * FULL makes a registry refuse both kinds of break, and with NONE it refuses none. A consumer meets them nevertheless: one
 * that still reads with the latest version, and one that reads older records with the new schema.
 */
async function findUnreadableByConsumers(
  client: RegistryClient,
  { name }: Subject,
  writer: PossibleWriter,
): Promise<string[]> {
  try {
    const latest = await client.getVersion(name, 'latest')
    if (latest === undefined || latest.id === writer.id) return []
    const unreadable = {
      byLatest: findUnreadable(latest.schema, writer.schema),
      byOurs: findUnreadable(writer.schema, latest.schema),
    }
    if (unreadable.byLatest.length + unreadable.byOurs.length === 0) return []
    const level = (await client.getCompatibilityLevel(name)) ?? 'unknown'
    const where = `subject ${name} (compatibility level ${level})`
    const version = `version ${latest.version}`
    return [
      ...describeBreak(
        unreadable.byLatest,
        `${where}: consumers that read with ${version}, the latest, can't read the records that the connector writes`,
        'give those consumers the new schema first, or use another topic',
      ),
      ...describeBreak(
        unreadable.byOurs,
        `${where}: consumers that read with the connector's schema can't read records of ${version}, the latest`,
        'let consumers read each record with the schema of its own id, or use another topic',
      ),
    ]
  } catch {
    // A warning is not worth more than publishing: an account may lack the right to read versions.
    return []
  }
}

const describeBreak = (reasons: readonly string[], problem: string, remedy: string): string[] =>
  reasons.length === 0
    ? []
    : [`${problem}: ${quote(reasons.join('; '), MAX_REASON_CHARACTERS)}. The registry permits this; ${remedy}`]

/** Says what the records of an older schema lack, and what to do about it. */
const describeLosses = (losses: readonly string[]): string =>
  `${losses.join(', ')}; everything that was sent is still in the field raw. ` +
  'Register the schema of this version, from the schemas folder, to have the new fields'

/**
 * Finds the newest version of the subject that our events can be written with without losing data. If there is none, it
 * finds the newest one that lacks only fields which are newer than the first published version: after an upgrade,
 * publishing goes on with the schema of before until the owner of the subject registers the new one.
 */
async function findWritableVersion(client: RegistryClient, { name, schema }: Subject): Promise<WriterSchema> {
  const versions = await client.listVersions(name)
  const reasons: string[] = []
  let older: WriterSchema | undefined
  for (const version of versions.reverse()) {
    const found = await client.getVersion(name, version)
    if (!found) continue
    const losses = lossesWith(found, schema.text)
    if (losses.length === 0) return { id: found.id, schema: found.schema }
    reasons.push(`version ${version}: ${losses.join(', ')}`)
    if (isWritableWithoutNewFields(found, schema)) older ??= { id: found.id, schema: found.schema, losses }
  }
  if (older) return older
  const reason = versions.length === 0 ? 'there is no such subject' : quote(reasons.join('; '), MAX_REASON_CHARACTERS)
  throw new ConnectorError(
    'SCHEMA_REFUSED',
    `subject ${name} holds no schema that ${schema.name} can be written with: ${reason}. ` +
      'Register the one from the schemas folder there, or set registry.register: true',
  )
}

/** Whether nothing would be lost except fields that are missing there and that some published version did not have. */
const isWritableWithoutNewFields = (version: SchemaVersion, { text, publishedVersions }: EventSchema): boolean => {
  try {
    const theirs = fieldNamesOf(version.schema)
    const ours = JSON.parse(text) as RecordSchema
    const kept = { ...ours, fields: ours.fields.filter(({ name }) => theirs.has(name)) }
    const hasAllPublishedFields = publishedVersions.some((published) =>
      [...fieldNamesOf(published)].every((name) => theirs.has(name)),
    )
    return hasAllPublishedFields && lossesWith(version, JSON.stringify(kept)).length === 0
  } catch {
    return false
  }
}

interface RecordSchema {
  readonly fields: readonly { readonly name: string }[]
}

const fieldNamesOf = (text: string): ReadonlySet<string> =>
  new Set((JSON.parse(text) as RecordSchema).fields.map(({ name }) => name))

const lossesWith = (version: SchemaVersion, text: string): string[] => {
  if (version.schemaType && version.schemaType !== 'AVRO') return [`it is ${version.schemaType}`]
  try {
    return findDataLosses(text, version.schema)
  } catch {
    return ["its schema can't be read"]
  }
}
