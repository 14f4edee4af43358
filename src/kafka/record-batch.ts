/**
 * Writes record batches (magic 2, https://kafka.apache.org/documentation/#recordbatch) into buffers that are used again.
 *
 * A record is written once, where it goes onto the wire from: length varint, attributes int8, timestamp delta varlong, offset
 * delta varint, key, value, headers. Key and value are a varint length and bytes; headers are a varint count and pairs of such a
 * name and value. All varints are zigzag-encoded.
 *
 * The length of a record and of each text comes before its content, and is known only after it. The content is therefore written
 * behind room for the usual size of the varint, and moved in the rare case that the varint is longer or shorter.
 */
import { crc32c } from './crc32c.js'
import type { ProducerIdentity } from './protocol/requests.js'
import type { OutgoingRecord } from './publisher.js'

/** The header of a record batch. */
export const BATCH_HEADER_BYTES = 61

/** Offsets in the header of a batch. */
const BATCH_LENGTH_AT = 8
const LEADER_EPOCH_AT = 12
const MAGIC_AT = 16
const CRC_AT = 17
const ATTRIBUTES_AT = 21
const LAST_OFFSET_DELTA_AT = 23
const BASE_TIMESTAMP_AT = 27
const MAX_TIMESTAMP_AT = 35
const PRODUCER_ID_AT = 43
const PRODUCER_EPOCH_AT = 51
const BASE_SEQUENCE_AT = 53
const RECORD_COUNT_AT = 57

/** The batch length does not count the base offset and itself. */
const BYTES_BEFORE_BATCH_LENGTH = 12
const MAGIC = 2
const NO_LEADER_EPOCH = -1
const TRANSACTIONAL_FLAG = 0x10

const INITIAL_BYTES = 16 * 1024
/** Records up to this length have a length varint of two bytes. */
const USUAL_RECORD_LENGTH_VARINT_BYTES = 2
/** The longest varint of a 32-bit number. */
const MAX_VARINT_BYTES = 5
/** Attributes, and the longest timestamp and offset deltas. */
const MAX_RECORD_PREFIX_BYTES = 1 + 10 + MAX_VARINT_BYTES
/** The most bytes that one UTF-16 code unit takes in UTF-8. */
const MAX_UTF8_BYTES_PER_UNIT = 3
/** A short ASCII text is written faster by a loop than by a call into native code. */
const MAX_LOOP_TEXT_LENGTH = 40

export interface BatchAttributes {
  readonly identity: ProducerIdentity
  readonly baseSequence: number
  readonly isTransactional: boolean
  /** The codec's number in the attributes; 0 for none. */
  readonly compressionType: number
}

export class RecordBatchWriter {
  #buffer = Buffer.allocUnsafe(INITIAL_BYTES)
  #length = BATCH_HEADER_BYTES
  #count = 0
  #baseTimestamp = 0
  #maxTimestamp = 0
  /** The length before the last record, and the latest timestamp then. */
  #lengthBefore = BATCH_HEADER_BYTES
  #maxTimestampBefore = 0
  readonly #headerCache = new HeaderCache()

  get count(): number {
    return this.#count
  }

  /** The size of the batch without compression, its header included. */
  get length(): number {
    return this.#length
  }

  /** The size of the buffer, which grows to the largest batch that it has held. */
  get capacity(): number {
    return this.#buffer.length
  }

  reset(): void {
    this.#length = BATCH_HEADER_BYTES
    this.#count = 0
  }

  /** @param timestamp milliseconds since the epoch */
  append(record: OutgoingRecord, timestamp: number): void {
    const { key, value, headers } = record
    if (this.#count === 0) {
      this.#baseTimestamp = timestamp
      this.#maxTimestamp = timestamp
    }
    this.#lengthBefore = this.#length
    this.#maxTimestampBefore = this.#maxTimestamp
    this.#reserve(maxBytesOf(record))
    const start = this.#length
    const content = start + USUAL_RECORD_LENGTH_VARINT_BYTES
    const out = this.#buffer
    out[content] = 0 // no attributes
    let at = writeVarlong(out, timestamp - this.#baseTimestamp, content + 1)
    at = writeVarint(out, this.#count, at)
    at = writeText(out, key, at)
    at = writeVarint(out, value.length, at)
    out.set(value, at)
    at += value.length
    at = this.#writeHeaders(headers, at)
    this.#length = writeLengthBefore(out, start, USUAL_RECORD_LENGTH_VARINT_BYTES, at)
    this.#count++
    if (timestamp > this.#maxTimestamp) this.#maxTimestamp = timestamp
  }

  /** Takes back the last record that was appended. */
  removeLast(): void {
    this.#length = this.#lengthBefore
    this.#maxTimestamp = this.#maxTimestampBefore
    this.#count--
  }

  /** The records without the header of the batch: what a codec compresses. */
  get records(): Buffer {
    return this.#buffer.subarray(BATCH_HEADER_BYTES, this.#length)
  }

  /**
   * Returns the batch as it goes onto the wire. Without compression the bytes are those of the writer, and stay valid until the
   * next `reset`.
   *
   * @param compressed what the codec made of `records`; left out without compression
   */
  seal(attributes: BatchAttributes, compressed?: Buffer): Buffer {
    const bytes =
      compressed === undefined
        ? this.#buffer.subarray(0, this.#length)
        : Buffer.allocUnsafe(BATCH_HEADER_BYTES + compressed.length)
    compressed?.copy(bytes, BATCH_HEADER_BYTES)
    const { identity, baseSequence, isTransactional, compressionType } = attributes
    bytes.writeBigInt64BE(0n, 0)
    bytes.writeInt32BE(bytes.length - BYTES_BEFORE_BATCH_LENGTH, BATCH_LENGTH_AT)
    bytes.writeInt32BE(NO_LEADER_EPOCH, LEADER_EPOCH_AT)
    bytes.writeInt8(MAGIC, MAGIC_AT)
    bytes.writeInt16BE(compressionType | (isTransactional ? TRANSACTIONAL_FLAG : 0), ATTRIBUTES_AT)
    bytes.writeInt32BE(this.#count - 1, LAST_OFFSET_DELTA_AT)
    bytes.writeBigInt64BE(BigInt(this.#baseTimestamp), BASE_TIMESTAMP_AT)
    bytes.writeBigInt64BE(BigInt(this.#maxTimestamp), MAX_TIMESTAMP_AT)
    bytes.writeBigInt64BE(identity.producerId, PRODUCER_ID_AT)
    bytes.writeInt16BE(identity.producerEpoch, PRODUCER_EPOCH_AT)
    bytes.writeInt32BE(baseSequence, BASE_SEQUENCE_AT)
    bytes.writeInt32BE(this.#count, RECORD_COUNT_AT)
    bytes.writeUInt32BE(crc32c(bytes.subarray(ATTRIBUTES_AT)), CRC_AT)
    return bytes
  }

  #writeHeaders(headers: OutgoingRecord['headers'], offset: number): number {
    const names = Object.keys(headers)
    let at = writeVarint(this.#buffer, names.length, offset)
    for (const name of names) at = this.#headerCache.write(this.#buffer, name, headers[name]!, at)
    return at
  }

  #reserve(bytes: number): void {
    const needed = this.#length + bytes
    if (needed <= this.#buffer.length) return
    const larger = Buffer.allocUnsafe(Math.max(needed, this.#buffer.length * 2))
    this.#buffer.copy(larger, 0, 0, this.#length)
    this.#buffer = larger
  }
}

/** Returns a bound of the bytes that a record takes, from lengths that are known without encoding. */
function maxBytesOf({ key, value, headers }: OutgoingRecord): number {
  let units = key.length
  let lengths = 4 // of the record, the key, the value and the headers
  for (const name in headers) {
    units += name.length + headers[name]!.length
    lengths += 2
  }
  return MAX_RECORD_PREFIX_BYTES + lengths * MAX_VARINT_BYTES + units * MAX_UTF8_BYTES_PER_UNIT + value.length
}

/** Around a record's content: length (4), attributes (1), timestamp delta and offset delta (3 each), at most. */
const RECORD_FRAME_BYTES = 11
/** In a record's content: the lengths of key and value and the number of headers, 4 bytes each at most. */
const RECORD_LENGTHS_BYTES = 12
/** In a record header: the lengths of its name and value as varints. */
const RECORD_HEADER_OVERHEAD_BYTES = 8

/** Returns the most bytes that a record takes in a batch by itself, before it is compressed. */
export function maxEncodedBytes({ key, value, headers }: OutgoingRecord): number {
  let bytes = RECORD_FRAME_BYTES + RECORD_LENGTHS_BYTES + Buffer.byteLength(key) + value.length
  for (const name in headers) {
    bytes += RECORD_HEADER_OVERHEAD_BYTES + Buffer.byteLength(name) + Buffer.byteLength(headers[name]!)
  }
  return bytes
}

/** Returns the most bytes, as `maxEncodedBytes` counts them, that a single record may take so that a batch can hold it. */
export const maxRecordBytes = (maxBatchBytes: number): number => maxBatchBytes - BATCH_HEADER_BYTES

/**
 * Remembers how each record header was last encoded. Most headers of consecutive records are the same, and the names of all are.
 */
class HeaderCache {
  /** Providers choose no names of headers, so that there are few; the bound is for safety. */
  static readonly #MAX_NAMES = 64
  readonly #encoded = new Map<string, { value: string; bytes: Buffer; nameBytes: number }>()

  write(out: Buffer, name: string, value: string, offset: number): number {
    const last = this.#encoded.get(name)
    if (last?.value === value) {
      out.set(last.bytes, offset)
      return offset + last.bytes.length
    }
    let at = offset
    if (last === undefined) at = writeText(out, name, at)
    else {
      out.set(last.bytes.subarray(0, last.nameBytes), at)
      at += last.nameBytes
    }
    const nameBytes = at - offset
    at = writeText(out, value, at)
    if (last !== undefined) this.#remember(last, value, out.subarray(offset, at))
    else if (this.#encoded.size < HeaderCache.#MAX_NAMES) {
      this.#encoded.set(name, { value, bytes: Buffer.from(out.subarray(offset, at)), nameBytes })
    }
    return at
  }

  #remember(last: { value: string; bytes: Buffer }, value: string, bytes: Buffer): void {
    last.value = value
    if (last.bytes.length === bytes.length) last.bytes.set(bytes)
    else last.bytes = Buffer.from(bytes)
  }
}

/** Writes a zigzag varint of a number from 0 to 2^31 - 1. */
function writeVarint(out: Buffer, value: number, offset: number): number {
  let rest = value * 2
  let at = offset
  while (rest > 0x7f) {
    out[at] = (rest & 0x7f) | 0x80
    at++
    rest = Math.floor(rest / 0x80)
  }
  out[at] = rest
  return at + 1
}

/** Writes a zigzag varlong of a whole number, which may be negative. */
function writeVarlong(out: Buffer, value: number, offset: number): number {
  let rest = value < 0 ? -value * 2 - 1 : value * 2
  let at = offset
  while (rest > 0x7f) {
    out[at] = (rest % 0x80) | 0x80
    at++
    rest = Math.floor(rest / 0x80)
  }
  out[at] = rest
  return at + 1
}

const varintBytes = (value: number): number => {
  if (value < 0x40) return 1
  if (value < 0x2000) return 2
  if (value < 0x10_0000) return 3
  return value < 0x800_0000 ? 4 : 5
}

/**
 * Writes the varint of a length in front of content that begins `room` bytes behind `start`, and moves the content if the varint
 * takes more or less room.
 *
 * @param end the end of the content
 * @returns the end of the content after that
 */
function writeLengthBefore(out: Buffer, start: number, room: number, end: number): number {
  const length = end - start - room
  const needed = varintBytes(length)
  if (needed !== room) out.copyWithin(start + needed, start + room, end)
  writeVarint(out, length, start)
  return end + needed - room
}

/** Writes the length of a text in UTF-8, and the text. */
function writeText(out: Buffer, text: string, offset: number): number {
  const room = varintBytes(text.length)
  let at = offset + room
  if (text.length <= MAX_LOOP_TEXT_LENGTH) {
    for (let index = 0; index < text.length; index++) {
      const unit = text.charCodeAt(index)
      if (unit > 0x7f)
        return writeLengthBefore(out, offset, room, offset + room + out.write(text, offset + room, 'utf8'))
      out[at] = unit
      at++
    }
    return writeLengthBefore(out, offset, room, at)
  }
  return writeLengthBefore(out, offset, room, at + out.write(text, at, 'utf8'))
}
