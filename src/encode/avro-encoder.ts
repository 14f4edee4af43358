/** Encodes events as Avro records in Confluent's wire format. */
import type avro from 'avsc'
import { messageOf } from '../core/errors.js'
import type { DeadLetter, DeliveryReceipt, Event, InboundMessage } from '../core/event.js'
import type { OutgoingRecord } from '../kafka/publisher.js'
import { hashNumber, presentFields, presentText, type RecordFieldMode } from '../masking/record-fields.js'
import type { SchemaGate, WriterSchemas } from '../registry/schema-gate.js'
import { type EventKind, forEachKind, loadSchemas, parseSchema } from '../registry/schemas.js'
import { CloudEventsHeaders } from './cloudevents-headers.js'
import {
  deadLetterInsteadOf,
  MAX_PART_BYTES,
  partId,
  splitIntoParts,
  withFittingFields,
  withoutSecrets,
  withShortenedTexts,
} from './dead-letters.js'
import type { EncodedEvent, Encoder, Origin } from './encoder.js'
import { WIRE_HEADER_BYTES, writeWireHeader } from './wire-format.js'

/** What records hold of people. Dead letters hold what was received, because they are replayed from it. */
export interface RecordContents {
  readonly dlr: { readonly raw: RecordFieldMode }
  readonly mo: {
    readonly raw: RecordFieldMode
    readonly text: RecordFieldMode
    /** If present, the record key is the hash of the sender with this secret, and else the sender. */
    readonly keySecret?: string
  }
}

export interface AvroEncoderOptions {
  readonly gate: Pick<SchemaGate, 'ready' | 'writerSchemas'>
  readonly topics: Readonly<Record<EventKind, string>>
  readonly contents: RecordContents
  /** The largest record that the broker accepts, as measured by `recordBytes`. */
  readonly maxRecordBytes: number
  /** Returns the bytes that a record takes in a batch, headers and overhead included. */
  readonly recordBytes: (record: OutgoingRecord) => number
}

/** If less room than this is left for the body of a dead letter, its other texts are shortened. */
const MIN_PART_BYTES = 1024
/** Length prefixes and part numbers of a full part take up to so much more than those of an empty part. */
const PART_OVERHEAD_BYTES = 32
const NO_BYTES = Buffer.alloc(0)

/** Values are written one after the other into a buffer of this size, and a new one is begun when it is full. */
const SLAB_BYTES = 256 * 1024

interface Writer {
  readonly id: number
  readonly type: avro.Type
  /**
   * Undefined for each field that only the schema in the registry has, so that its default is written. An event may have a
   * property of that name: `kind`, or one that every object inherits.
   */
  readonly addedFields: Readonly<Record<string, undefined>> | undefined
}

export class AvroEncoder implements Encoder {
  readonly #options: AvroEncoderOptions
  readonly #headers = new CloudEventsHeaders()
  /** The schemas as of the last `ready`, and their parsed types. */
  #schemas: WriterSchemas | undefined
  #writers: Readonly<Record<EventKind, Writer>> | undefined
  #slab = Buffer.allocUnsafe(SLAB_BYTES)
  #slabEnd = 0

  constructor(options: AvroEncoderOptions) {
    this.#options = options
  }

  async ready(): Promise<void> {
    const { gate } = this.#options
    await gate.ready()
    const { writerSchemas } = gate
    if (this.#schemas === writerSchemas) return
    const ours = loadSchemas()
    this.#writers = forEachKind((kind) => {
      const { id, schema } = writerSchemas[kind]
      const type = parseSchema(schema)
      return { id, type, addedFields: addedFieldsOf(type, ours[kind].type) }
    })
    this.#schemas = writerSchemas
  }

  encode(event: Event, origin: Origin): EncodedEvent {
    const encoded = this.#encode(event, origin)
    return origin.traceparent === undefined ? encoded : this.#withTraceparent(encoded, origin.traceparent)
  }

  #encode(event: Event, origin: Origin): EncodedEvent {
    if (event.kind === 'dead-letter') return this.#encodeDeadLetter(event, origin)
    const { maxRecordBytes, recordBytes } = this.#options
    let record: OutgoingRecord
    let bytes: number
    try {
      record = this.#encodeRecord(this.#withContents(event), this.#keyOf(event), event.eventId)
      bytes = recordBytes(record)
    } catch (error) {
      // One event that its schema can't hold must not block all others. Its bytes are kept in the dead letter.
      const detail = `the event does not fit its schema: ${messageOf(error)}`
      return this.#encodeDeadLetter(deadLetterInsteadOf(event, origin, 'not-encodable', detail), origin)
    }
    if (bytes <= maxRecordBytes) return { records: [record], deadLetter: null }
    const detail =
      `the ${event.kind === 'dlr' ? 'delivery receipt' : 'inbound message'} takes ${bytes} bytes as a record, ` +
      `${maxRecordBytes} fit; with a larger kafka.maxBatchBytes (and max.message.bytes of the topic) it can be replayed`
    return this.#encodeDeadLetter(deadLetterInsteadOf(event, origin, 'too-large', detail), origin)
  }

  /**
   * Adds the header to each record that has room for it. What an event becomes, and into which parts a dead letter is split,
   * does not depend on it: the same entry may be encoded again when it is not traced.
   */
  #withTraceparent({ records, deadLetter }: EncodedEvent, traceparent: string): EncodedEvent {
    const { maxRecordBytes, recordBytes } = this.#options
    const traced = records.map((record) => {
      const withHeader = { ...record, headers: { ...record.headers, traceparent } }
      return recordBytes(withHeader) <= maxRecordBytes ? withHeader : record
    })
    return { records: traced, deadLetter }
  }

  /**
   * Invariant 3: a dead letter of any size is published, in as many parts as it needs. If a field of it does not fit the schema,
   * which only a defect of a provider can cause, the field is replaced and the bytes are kept: an event that can't be encoded at all
   * would stop everything behind it.
   */
  #encodeDeadLetter(letter: DeadLetter, { body }: Origin): EncodedEvent {
    try {
      return this.#encodeParts(withoutSecrets(letter))
    } catch (error) {
      return this.#encodeParts(withoutSecrets(withFittingFields(letter, body, messageOf(error))))
    }
  }

  #encodeParts(letter: DeadLetter): EncodedEvent {
    let fitting = letter
    let partBytes = this.#maxPartBytes(letter)
    if (partBytes < MIN_PART_BYTES) {
      fitting = withShortenedTexts(letter)
      partBytes = Math.max(1, this.#maxPartBytes(fitting))
    }
    const parts = splitIntoParts(fitting, Math.min(MAX_PART_BYTES, partBytes))
    const records = parts.map((part) => this.#encodeRecord(part, part.source, partId(part)))
    const { eventId, reason, detail } = letter
    return { records, deadLetter: { eventId, reason, detail } }
  }

  /** Returns the bytes of body that fit into one record beside everything else in it. */
  #maxPartBytes(letter: DeadLetter): number {
    const [empty] = splitIntoParts({ ...letter, body: NO_BYTES }, 1)
    const record = this.#encodeRecord(empty!, letter.source, letter.eventId)
    return this.#options.maxRecordBytes - this.#options.recordBytes(record) - PART_OVERHEAD_BYTES
  }

  #encodeRecord(event: Event, key: string, id: string): OutgoingRecord {
    if (!this.#writers) throw new Error('encode was called before ready() resolved')
    const writer = this.#writers[event.kind]
    const fields = writer.addedFields === undefined ? event : { ...event, ...writer.addedFields }
    const value = this.#encodeValue(fields, writer)
    const headers = this.#headers.of(event, id)
    return { topic: this.#options.topics[event.kind], key, value, headers, timestamp: event.receivedAt }
  }

  /** The event id was formed before, from what was received, so that it does not depend on what the record holds. */
  #withContents(event: DeliveryReceipt | InboundMessage): DeliveryReceipt | InboundMessage {
    const { dlr, mo } = this.#options.contents
    if (event.kind === 'dlr') return dlr.raw === 'plain' ? event : { ...event, raw: presentFields(event.raw, dlr.raw) }
    if (mo.raw === 'plain' && mo.text === 'plain') return event
    return { ...event, raw: presentFields(event.raw, mo.raw), text: presentText(event.text, mo.text) }
  }

  /**
   * The record key keeps the order of the receipts of one message, and of the messages of one handset (invariant 4). The hash of a
   * number is always the same, so it keeps the order as the number does.
   */
  #keyOf(event: DeliveryReceipt | InboundMessage): string {
    if (event.kind === 'dlr') return event.messageId
    const { keySecret } = this.#options.contents.mo
    return keySecret === undefined ? event.sender : hashNumber(event.sender, keySecret)
  }

  /** @returns a part of a buffer that it shares with other values */
  #encodeValue(fields: object, writer: Writer): Buffer {
    const { id, type } = writer
    const start = this.#slabEnd
    const valueStart = start + WIRE_HEADER_BYTES
    const end = valueStart > this.#slab.length ? -SLAB_BYTES : type.encode(fields, this.#slab, valueStart)
    if (end < 0) {
      // A negative position is the number of bytes that were missing.
      const needed = this.#slab.length - start - end
      this.#slab = Buffer.allocUnsafe(Math.max(SLAB_BYTES, needed))
      this.#slabEnd = 0
      return this.#encodeValue(fields, writer)
    }
    writeWireHeader(this.#slab, start, id)
    this.#slabEnd = end
    return this.#slab.subarray(start, end)
  }
}

/** Returns undefined if the registered schema has no field that ours lacks. */
const addedFieldsOf = (registered: avro.Type, ours: avro.Type): Writer['addedFields'] => {
  const names = fieldNamesOf(registered).filter((name) => !fieldNamesOf(ours).includes(name))
  return names.length === 0 ? undefined : Object.fromEntries(names.map((name) => [name, undefined]))
}

const fieldNamesOf = (type: avro.Type): string[] => (type as avro.types.RecordType).fields.map(({ name }) => name)
