/**
 * Splits the records of a transaction into sends that the broker accepts.
 *
 * kafkajs makes one record batch of everything that a send holds for a partition and never splits it, while the broker's
 * limit (`max.message.bytes`) applies to batches. A send therefore holds at most `maxBatchBytes` for each partition, and a
 * bounded sum. Records of one partition keep their order, within a send and because sends are awaited one after the other
 * (invariant 4).
 *
 * Sizes are those of a record batch with magic 2, and never less than what is written.
 */
import type { Message, TopicMessages } from 'kafkajs'
import type { OutgoingRecord } from './publisher.js'
import { wrapRecord } from './kafkajs-workarounds/record-codec.js'

/** The header of a record batch. */
export const BATCH_HEADER_BYTES = 61
/** Around a record's content: length (4), attributes (1), timestamp delta and offset delta (3 each), at most. */
export const RECORD_FRAME_BYTES = 11
/** In a record's content: the lengths of key and value and the number of headers, 4 bytes each at most. */
const RECORD_LENGTHS_BYTES = 12
/** In a record header: the lengths of its name and value as varints. */
const RECORD_HEADER_OVERHEAD_BYTES = 8

/** Small enough to be encoded without delaying callbacks, and to cross a slow line within the request timeout. */
const MAX_SEND_BYTES = 1024 * 1024

/** Returns the most bytes that a record takes in a batch. */
export function maxEncodedBytes({ key, value, headers }: OutgoingRecord): number {
  let bytes = RECORD_FRAME_BYTES + RECORD_LENGTHS_BYTES + Buffer.byteLength(key) + value.length
  for (const name in headers) {
    bytes += RECORD_HEADER_OVERHEAD_BYTES + Buffer.byteLength(name) + Buffer.byteLength(headers[name]!)
  }
  return bytes
}

/** Returns the most bytes, as `maxEncodedBytes` counts them, that a single record may take so that a batch can hold it. */
export const maxRecordBytes = (maxBatchBytes: number): number => maxBatchBytes - BATCH_HEADER_BYTES

/** Returns the partition that a record belongs to. */
export type Partitioner = (topic: string, key: string) => number

interface Send {
  bytes: number
  readonly topics: Map<string, Message[]>
}

/** Where the next record of a partition goes: the number of the send, and the bytes of the partition's batch in it. */
interface OpenBatch {
  send: number
  bytes: number
}

/** Returns the sends in order. Their messages are wrapped (`record-codec.ts`) and need a wrapped compression. */
export function splitIntoSends(
  records: readonly OutgoingRecord[],
  maxBatchBytes: number,
  partitionOf: Partitioner,
): TopicMessages[][] {
  const sends: Send[] = []
  const openBatches = new Map<string, OpenBatch[]>()
  for (const record of records) {
    const partition = partitionOf(record.topic, record.key)
    const value = wrapRecord(record)
    const bytes = RECORD_FRAME_BYTES + value.length
    const batch = openBatchOf(openBatches, record.topic, partition)
    if (batch.bytes + bytes > maxBatchBytes) moveToNextSend(batch)
    while ((sends[batch.send]?.bytes ?? 0) + bytes > MAX_SEND_BYTES && sends[batch.send]!.bytes > 0) {
      moveToNextSend(batch)
    }
    sends[batch.send] ??= { bytes: 0, topics: new Map() }
    const send = sends[batch.send]!
    send.bytes += bytes
    batch.bytes += bytes
    const message: Message = { key: null, value, partition }
    const messages = send.topics.get(record.topic)
    if (messages) messages.push(message)
    else send.topics.set(record.topic, [message])
  }
  return sends.map(({ topics }) => [...topics].map(([topic, messages]) => ({ topic, messages })))
}

const openBatchOf = (openBatches: Map<string, OpenBatch[]>, topic: string, partition: number): OpenBatch => {
  const ofTopic = openBatches.get(topic) ?? []
  openBatches.set(topic, ofTopic)
  ofTopic[partition] ??= { send: 0, bytes: BATCH_HEADER_BYTES }
  return ofTopic[partition]
}

const moveToNextSend = (batch: OpenBatch): void => {
  batch.send++
  batch.bytes = BATCH_HEADER_BYTES
}
