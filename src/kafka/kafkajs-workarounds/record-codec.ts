/**
 * Encodes the content of records outside of kafkajs, which only numbers and frames them.
 *
 * Defect: kafkajs 2.2.4 allocates and clears 512 bytes for each header of each record. Effect: with the six headers of our
 * records that is most of the time that publishing takes. kafkajs has no hook for the encoding of records, but one for
 * compression, which receives the encoded records of a batch as one buffer. Remedy:
 *
 *  - kafkajs receives messages without key and headers, whose *value* is the encoded key, value and headers of the real record
 *    (`wrapRecord`).
 *  - The compression codec turns each of them into the real record, with the timestamp and offset deltas that kafkajs has
 *    assigned (`unwrapRecords`), and only then compresses.
 *
 * The codec is registered under the number of the real compression plus `WRAPPED_FLAG`. kafkajs looks the codec up by the whole
 * number and writes the lowest three bits of it into the batch, so that the batch on the wire is an ordinary one.
 *
 * A record (magic 2) is: length varint, attributes int8, timestampDelta varlong, offsetDelta varint, key, value, headers. Key and
 * value are a varint length (-1 for null) and bytes; headers are a varint count and pairs of such name and value.
 *
 * This file can go when kafkajs encodes headers without that cost, or when the producer no longer is kafkajs's.
 */
import type { OutgoingRecord } from '../publisher.js'

/** The bit above the three bits that select the compression. */
export const WRAPPED_FLAG = 8

/** Returns key, value and headers as a record encodes them. */
export function wrapRecord({ key, value, headers }: OutgoingRecord): Buffer {
  const keyBytes = Buffer.byteLength(key)
  let size = sizeOfLength(keyBytes) + keyBytes + sizeOfLength(value.length) + value.length
  let count = 0
  for (const name in headers) {
    const nameBytes = Buffer.byteLength(name)
    const valueBytes = Buffer.byteLength(headers[name]!)
    size += sizeOfLength(nameBytes) + nameBytes + sizeOfLength(valueBytes) + valueBytes
    count++
  }
  const out = Buffer.allocUnsafe(size + sizeOfLength(count))
  let at = writeText(out, key, keyBytes, 0)
  at = writeLength(out, value.length, at)
  at += value.copy(out, at)
  at = writeLength(out, count, at)
  for (const name in headers) {
    at = writeText(out, name, Buffer.byteLength(name), at)
    at = writeText(out, headers[name]!, Buffer.byteLength(headers[name]!), at)
  }
  return out
}

/**
 * Returns the real records from those that kafkajs has made of wrapped messages.
 * @throws Error if the records are not encoded as kafkajs 2.2 encodes them
 */
export function unwrapRecords(wrapped: Buffer): Buffer {
  // The result is never longer, because the null key, the empty headers and one length are dropped.
  const out = Buffer.allocUnsafe(wrapped.length)
  let from = 0
  let to = 0
  while (from < wrapped.length) {
    const length = readVarint(wrapped, from)
    const start = length.next
    const end = start + length.value
    const deltas = skipVarint(wrapped, skipVarint(wrapped, start + 1))
    const key = readVarint(wrapped, deltas)
    const content = readVarint(wrapped, key.next)
    if (key.value !== -1 || content.next + content.value + 1 !== end || wrapped[end - 1] !== 0) {
      throw new Error('kafkajs encodes records in an unexpected way; this program needs kafkajs 2.2')
    }
    to = writeLength(out, deltas - start + content.value, to)
    to += wrapped.copy(out, to, start, deltas)
    to += wrapped.copy(out, to, content.next, end - 1)
    from = end
  }
  return out.subarray(0, to)
}

/** Returns the size of a length or count as a zigzag varint. Lengths are never negative here. */
const sizeOfLength = (length: number): number => {
  if (length < 1 << 6) return 1
  if (length < 1 << 13) return 2
  if (length < 1 << 20) return 3
  return length < 1 << 27 ? 4 : 5
}

function writeLength(out: Buffer, length: number, offset: number): number {
  let rest = length * 2
  let at = offset
  while (rest > 0x7f) {
    out[at] = (rest % 0x80) | 0x80
    at++
    rest = Math.floor(rest / 0x80)
  }
  out[at] = rest
  return at + 1
}

const writeText = (out: Buffer, text: string, bytes: number, offset: number): number => {
  const at = writeLength(out, bytes, offset)
  out.write(text, at, bytes, 'utf8')
  return at + bytes
}

function readVarint(from: Buffer, offset: number): { value: number; next: number } {
  let raw = 0
  let at = offset
  for (let weight = 1; ; weight *= 0x80) {
    const byte = from[at]!
    at++
    raw += (byte & 0x7f) * weight
    if (byte < 0x80) break
  }
  return { value: raw % 2 === 0 ? raw / 2 : -(raw + 1) / 2, next: at }
}

const skipVarint = (from: Buffer, offset: number): number => {
  let at = offset
  while (from[at]! >= 0x80) at++
  return at + 1
}
