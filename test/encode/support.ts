import avro from 'avsc'
import { AvroEncoder, type RecordContents } from '../../src/encode/avro-encoder.js'
import type { WriterSchemas } from '../../src/registry/schema-gate.js'
import { type EventKind, EVENT_KINDS, loadSchemas } from '../../src/registry/schemas.js'
import { maxRecordBytes, maxEncodedBytes } from '../../src/kafka/record-batch.js'
import type { OutgoingRecord } from '../../src/kafka/publisher.js'

export const TOPICS: Readonly<Record<EventKind, string>> = {
  dlr: 'sms.dlr',
  mo: 'sms.mo',
  'dead-letter': 'sms.dead-letter',
}
export const IDS: Readonly<Record<EventKind, number>> = { dlr: 11, mo: 12, 'dead-letter': 13 }
export const MAX_BATCH = 900 * 1024
export const PLAIN_CONTENTS: RecordContents = { dlr: { raw: 'plain' }, mo: { raw: 'plain', text: 'plain' } }

const schemas = loadSchemas()
const types = new Map(
  EVENT_KINDS.map((kind) => [IDS[kind], avro.Type.forSchema(JSON.parse(schemas[kind].text) as avro.Schema)]),
)

/**
 * Creates an encoder that is ready, with an open schema gate and fixed schema ids.
 * @param registered the texts of the schemas that the registry holds
 */
export async function createEncoder(
  maxBatchBytes = MAX_BATCH,
  contents = PLAIN_CONTENTS,
  registered: Partial<Record<EventKind, string>> = {},
): Promise<AvroEncoder> {
  const writers = Object.fromEntries(
    EVENT_KINDS.map((kind) => [kind, { id: IDS[kind], schema: registered[kind] ?? schemas[kind].text }]),
  ) as unknown as WriterSchemas
  const encoder = new AvroEncoder({
    gate: { ready: () => Promise.resolve(), writerSchemas: writers },
    topics: TOPICS,
    contents,
    maxRecordBytes: maxRecordBytes(maxBatchBytes),
    recordBytes: maxEncodedBytes,
  })
  await encoder.ready()
  return encoder
}

/** Decodes a value like an independent consumer: the wire format by hand, and the Avro record by avsc. */
export function decodeRecord({ value }: OutgoingRecord): { id: number; fields: Record<string, unknown> } {
  if (value[0] !== 0) throw new Error('not in Confluent wire format')
  const id = value.readInt32BE(1)
  return { id, fields: { ...(types.get(id)!.fromBuffer(value.subarray(5)) as object) } }
}
