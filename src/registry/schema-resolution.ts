/**
 * Which id one of our schemas has in a subject: looked up, registered where that is allowed, or refused with a reason.
 * Never changes a subject's configuration.
 */
import { ConnectorError, hasCode } from '../core/errors.js'
import { incompatibilities, sameSchema } from './compatibility.js'
import type { RegistryClient } from './registry-client.js'
import type { EventSchema } from './schemas.js'
import { findLosses } from './writer-schema.js'

/** What records of one kind are written with. */
export interface WriterSchema {
  readonly id: number
  /** JSON text of the schema that the id stands for. */
  readonly schema: string
}

/**
 * @throws ConnectorError SCHEMA_REFUSED with subject, level, reason and what to do; REGISTRY_UNREACHABLE, REGISTRY_REFUSED
 */
export async function resolveWriterSchema(
  api: RegistryClient,
  subject: string,
  schema: EventSchema,
  register: boolean,
): Promise<WriterSchema> {
  const found = await findWriter(api, subject, schema, register)
  if (found) return found
  await assertCompatible(api, subject, schema)
  return confirmed(api, subject, { id: await api.register(subject, schema.text), schema: schema.text })
}

/**
 * As `resolveWriter`, but only looks.
 * @returns what was found, in a few words
 */
export async function inspectWriterSchema(
  api: RegistryClient,
  subject: string,
  schema: EventSchema,
  register: boolean,
): Promise<string> {
  const found = await findWriter(api, subject, schema, register)
  if (found) return `${found.schema === schema.text ? 'registered' : 'can be written'} with id ${found.id}`
  await assertCompatible(api, subject, schema)
  return 'compatible: run will register it'
}

/** Undefined: the subject does not hold our schema yet, and we may register it. */
async function findWriter(
  api: RegistryClient,
  subject: string,
  schema: EventSchema,
  register: boolean,
): Promise<WriterSchema | undefined> {
  const id = await api.lookup(subject, schema.text)
  if (id !== undefined) return confirmed(api, subject, { id, schema: schema.text })
  return register ? undefined : confirmed(api, subject, await findUsable(api, subject, schema))
}

/**
 * A registry may give an id and mean another schema by it: two of them behind one address, a cache in between, a search
 * that is content with a similar one. Readers would find out, after the fact. Only what it says of the id is held
 * against it; one that does not let us ask is believed.
 */
async function confirmed(api: RegistryClient, subject: string, writer: WriterSchema): Promise<WriterSchema> {
  const { id, schema } = writer
  const there = await api.schemaOf(id).catch((error: unknown) => {
    if (hasCode(error, 'REGISTRY_UNREACHABLE')) throw error
    return undefined
  })
  if (there === undefined || sameSchema(there, schema)) return writer
  throw new ConnectorError(
    'SCHEMA_REFUSED',
    `the registry at ${api.url} gives schema id ${id} for subject ${subject}, and another schema for that id: is it ` +
      'one registry that answers there? Nothing is published until both agree',
  )
}

/** Asked before registering, since some registries take anything where no rule is enforced on write. */
export async function assertCompatible(api: RegistryClient, subject: string, schema: EventSchema): Promise<void> {
  const level = await api.compatibilityLevel(subject)
  if (level === 'NONE') return
  const transitive = level?.endsWith('_TRANSITIVE') ?? false
  const { compatible, messages } = await api.compatibility(subject, schema.text, transitive ? 'all' : 'latest')
  if (compatible) return
  const reasons = messages.length > 0 ? messages : await ownReasons(api, subject, schema, level ?? '', transitive)
  throw new ConnectorError(
    'SCHEMA_REFUSED',
    `${schema.name} is not compatible with subject ${subject} (level ${level ?? 'unknown'}): ` +
      `${reasons.join('; ') || 'the registry gives no reason'}. ` +
      'Give it another topic, another registry.subjectNaming, or change the subject in the registry; nothing is published until then',
  )
}

async function ownReasons(
  api: RegistryClient,
  subject: string,
  schema: EventSchema,
  level: string,
  all: boolean,
): Promise<string[]> {
  const versions = await api.versions(subject)
  const reasons: string[] = []
  for (const number of all ? versions : versions.slice(-1)) {
    const earlier = await api.version(subject, number)
    if (earlier)
      reasons.push(
        ...incompatibilities(level, schema.text, earlier.schema).map((reason) => `version ${number}: ${reason}`),
      )
  }
  return reasons
}

/** With `register: false`: the newest version that our events can be written with and lose nothing. */
async function findUsable(api: RegistryClient, subject: string, schema: EventSchema): Promise<WriterSchema> {
  const versions = await api.versions(subject)
  const reasons: string[] = []
  for (const number of versions.reverse()) {
    const found = await api.version(subject, number)
    if (!found) continue
    const lost =
      found.schemaType && found.schemaType !== 'AVRO' ? [`it is ${found.schemaType}`] : lossesOf(schema, found.schema)
    if (lost.length === 0) return { id: found.id, schema: found.schema }
    reasons.push(`version ${number}: ${lost.join(', ')}`)
  }
  const found = versions.length === 0 ? 'there is no such subject' : reasons.join('; ')
  throw new ConnectorError(
    'SCHEMA_REFUSED',
    `subject ${subject} holds no schema that ${schema.name} can be written with: ${found}. ` +
      'Register the one from the schemas folder there, or set registry.register: true',
  )
}

const lossesOf = (schema: EventSchema, theirs: string): string[] => {
  try {
    return findLosses(schema.text, theirs)
  } catch {
    return ["its schema can't be read"]
  }
}
