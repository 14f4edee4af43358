/** What records take on the wire (record batch, magic 2): never less than what is really written. */
import type { OutgoingRecord } from './publisher.js'

/** Header of a batch. */
export const BATCH_OVERHEAD = 61
/** Around the content of a record: length (4), attributes (1), timestamp and offset deltas (3 each), at most. */
export const FRAME = 11
/** In the content: lengths of key and value, count of headers, each 4 at most. */
const LENGTHS = 12
/** Of a record header: two lengths as varints. */
const HEADER_OVERHEAD = 8

/** Bytes that a record takes in a batch, at most. */
export function recordBytes({ key, value, headers }: OutgoingRecord): number {
  let bytes = FRAME + LENGTHS + Buffer.byteLength(key) + value.length
  for (const name in headers) bytes += HEADER_OVERHEAD + Buffer.byteLength(name) + Buffer.byteLength(headers[name]!)
  return bytes
}

/** What a single record may take, by the measure of `recordBytes`, so that a batch can hold it. */
export const maxRecordBytes = (maxBatchBytes: number): number => maxBatchBytes - BATCH_OVERHEAD
