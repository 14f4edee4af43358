/** Whether a delivery receipt on the topic says that no further one is to be expected. */
import type avro from 'avsc'
import type { Clock } from '../core/clock.js'
import type { RegistryClient } from '../registry/registry-client.js'
import { loadSchemas, parseSchema } from '../registry/schemas.js'

/** Confluent's wire format: a zero byte and the schema's id before the Avro. */
const HEADER = 5
/** Milliseconds after which a schema is asked for again that the registry did not give. */
const ASK_AGAIN = 30_000

/**
 * Written by another version, it may have another schema. One that can't be read counts as not final: its message is
 * asked for once more, and then closed.
 */
export function createFinalityReader(
  api: Pick<RegistryClient, 'getSchema'>,
  clock: Clock,
): (value: Buffer) => Promise<boolean> {
  const reader = loadSchemas().dlr.type
  const readers = new Map<number, (value: Buffer) => boolean>()
  let askAt = -Infinity

  const readerOf = async (id: number): Promise<((value: Buffer) => boolean) | undefined> => {
    const known = readers.get(id)
    if (known !== undefined || clock.monotonic() < askAt) return known
    try {
      const schema = await api.getSchema(id)
      if (schema === undefined) throw new Error(`the registry has no schema ${id}`)
      const resolver = reader.createResolver(parseSchema(schema))
      const read = (value: Buffer): boolean => isFinal(reader, resolver, value)
      readers.set(id, read)
      return read
    } catch {
      askAt = clock.monotonic() + ASK_AGAIN
      return undefined
    }
  }

  return async (value) => {
    if (value.length <= HEADER || value[0] !== 0) return false
    const read = await readerOf(value.readUInt32BE(1))
    try {
      return read?.(value.subarray(HEADER)) ?? false
    } catch {
      return false
    }
  }
}

const isFinal = (reader: avro.Type, resolver: ReturnType<avro.Type['createResolver']>, value: Buffer): boolean =>
  (reader.fromBuffer(value, resolver) as { readonly final: boolean }).final
