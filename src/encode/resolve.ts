/**
 * Which id one of our schemas has in a subject: looked up, registered where that is allowed, or refused with a reason.
 * Never changes a subject's configuration.
 */
import { ConnectorError } from '../errors.js'
import { explain } from './explain.js'
import type { RegistryApi } from './registry-api.js'
import type { EventSchema } from './schemas.js'
import { losses } from './writable.js'

/** What records of one kind are written with. */
export interface Writer {
  readonly id: number
  /** JSON text of the schema that the id stands for. */
  readonly schema: string
}

/**
 * @throws ConnectorError SCHEMA_REFUSED with subject, level, reason and what to do; REGISTRY_UNREACHABLE, REGISTRY_REFUSED
 */
export async function resolveWriter(
  api: RegistryApi,
  subject: string,
  schema: EventSchema,
  register: boolean,
): Promise<Writer> {
  const id = await api.lookup(subject, schema.text)
  if (id !== undefined) return { id, schema: schema.text }
  if (!register) return findUsable(api, subject, schema)
  await assertCompatible(api, subject, schema)
  return { id: await api.register(subject, schema.text), schema: schema.text }
}

/**
 * As `resolveWriter`, but only looks.
 * @returns what was found, in a few words
 */
export async function checkWriter(
  api: RegistryApi,
  subject: string,
  schema: EventSchema,
  register: boolean,
): Promise<string> {
  const id = await api.lookup(subject, schema.text)
  if (id !== undefined) return `registered with id ${id}`
  if (!register) return `can be written with id ${(await findUsable(api, subject, schema)).id}`
  await assertCompatible(api, subject, schema)
  return 'compatible: run will register it'
}

/** Asked before registering, since some registries take anything where no rule is enforced on write. */
export async function assertCompatible(api: RegistryApi, subject: string, schema: EventSchema): Promise<void> {
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
  api: RegistryApi,
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
      reasons.push(...explain(level, schema.text, earlier.schema).map((reason) => `version ${number}: ${reason}`))
  }
  return reasons
}

/** With `register: false`: the newest version that our events can be written with and lose nothing. */
async function findUsable(api: RegistryApi, subject: string, schema: EventSchema): Promise<Writer> {
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
    return losses(schema.text, theirs)
  } catch {
    return ["its schema can't be read"]
  }
}
