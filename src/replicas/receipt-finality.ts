/** Reads from a record on the topic of delivery receipts whether its status is final. */
import type avro from 'avsc'
import type { Clock } from '../core/clock.js'
import { readSchemaId, WIRE_HEADER_BYTES } from '../encode/wire-format.js'
import type { RegistryClient } from '../registry/registry-client.js'
import { loadSchemas, parseSchema } from '../registry/schemas.js'

/** After how long a schema is requested again that the registry did not return. */
const REQUEST_AGAIN_AFTER_MS = 30_000

/**
 * Returns a function that tells whether a receipt is final. A record of another version of this program may have another schema,
 * which is read from the registry. A record that cannot be read counts as not final: its message is queried once more.
 */
export function createFinalityReader(
  registry: Pick<RegistryClient, 'getSchema'>,
  clock: Clock,
): (value: Buffer) => Promise<boolean> {
  const readerSchema = loadSchemas().dlr.type
  const readers = new Map<number, (value: Buffer) => boolean>()
  let requestAgainAt = -Infinity

  const readerFor = async (schemaId: number): Promise<((value: Buffer) => boolean) | undefined> => {
    const known = readers.get(schemaId)
    if (known !== undefined || clock.monotonic() < requestAgainAt) return known
    try {
      const schema = await registry.getSchema(schemaId)
      if (schema === undefined) throw new Error(`the registry has no schema with id ${schemaId}`)
      const resolver = readerSchema.createResolver(parseSchema(schema))
      const read = (value: Buffer): boolean => isFinal(readerSchema, resolver, value)
      readers.set(schemaId, read)
      return read
    } catch {
      requestAgainAt = clock.monotonic() + REQUEST_AGAIN_AFTER_MS
      return undefined
    }
  }

  return async (value) => {
    const schemaId = readSchemaId(value)
    if (schemaId === undefined || value.length === WIRE_HEADER_BYTES) return false
    const read = await readerFor(schemaId)
    try {
      return read?.(value.subarray(WIRE_HEADER_BYTES)) ?? false
    } catch {
      return false
    }
  }
}

const isFinal = (schema: avro.Type, resolver: ReturnType<avro.Type['createResolver']>, value: Buffer): boolean =>
  (schema.fromBuffer(value, resolver) as { readonly final: boolean }).final
