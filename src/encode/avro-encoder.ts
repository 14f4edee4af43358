/** Encodes events as Avro records in Confluent's wire format. */
import { SchemaRegistry, SchemaType } from '@kafkajs/confluent-schema-registry'
import { messageOf } from '../core/errors.js'
import type { DeadLetter, DeliveryReceipt, Event, InboundMessage } from '../core/event.js'
import type { OutgoingRecord } from '../kafka/publisher.js'
import type { SchemaGate, WriterSchemas } from '../registry/schema-gate.js'
import { type EventKind, parseSchema } from '../registry/schemas.js'
import { cloudEventsHeaders } from './cloudevents-headers.js'
import { deadLetterInsteadOf, MAX_PART_BYTES, partId, splitIntoParts, withShortenedTexts } from './dead-letters.js'
import type { EncodedEvent, Encoder, Origin } from './encoder.js'

export interface AvroEncoderOptions {
  readonly gate: Pick<SchemaGate, 'ready' | 'writerSchemas'>
  readonly topics: Readonly<Record<EventKind, string>>
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

export class AvroEncoder implements Encoder {
  readonly #options: AvroEncoderOptions
  /** Used for the wire format only. Its cache holds every id that is written, so it never connects to the host. */
  readonly #codec = new SchemaRegistry({ host: 'http://unused.invalid' })
  /** The schemas as of the last `ready`. Only their types are certain to be in the cache of the codec. */
  #cachedSchemas: WriterSchemas | undefined

  constructor(options: AvroEncoderOptions) {
    this.#options = options
  }

  async ready(): Promise<void> {
    const { gate } = this.#options
    await gate.ready()
    if (this.#cachedSchemas === gate.writerSchemas) return
    for (const { id, schema } of Object.values(gate.writerSchemas)) {
      // The cache accepts a parsed type, so the schema is parsed once and by the same rules as everywhere else.
      this.#codec.cache.setSchema(id, SchemaType.AVRO, parseSchema(schema))
    }
    this.#cachedSchemas = gate.writerSchemas
  }

  async encode(event: Event, origin: Origin): Promise<EncodedEvent> {
    if (event.kind === 'dead-letter') return this.#encodeDeadLetter(event)
    const { maxRecordBytes, recordBytes } = this.#options
    let record: OutgoingRecord
    try {
      record = await this.#encodeRecord(event, keyOf(event), event.eventId)
    } catch (error) {
      // One event that its schema can't hold must not block all others. Its bytes are kept in the dead letter.
      const detail = `the event does not fit its schema: ${messageOf(error)}`
      return this.#encodeDeadLetter(deadLetterInsteadOf(event, origin, 'not-encodable', detail))
    }
    const bytes = recordBytes(record)
    if (bytes <= maxRecordBytes) return { records: [record], deadLetter: null }
    const detail =
      `the ${event.kind === 'dlr' ? 'delivery receipt' : 'inbound message'} takes ${bytes} bytes as a record, ` +
      `${maxRecordBytes} fit; with a larger kafka.maxBatchBytes (and max.message.bytes of the topic) it can be replayed`
    return this.#encodeDeadLetter(deadLetterInsteadOf(event, origin, 'too-large', detail))
  }

  /** Invariant 3: a dead letter of any size is published, in as many parts as it needs. */
  async #encodeDeadLetter(letter: DeadLetter): Promise<EncodedEvent> {
    let fitting = letter
    let partBytes = await this.#maxPartBytes(letter)
    if (partBytes < MIN_PART_BYTES) {
      fitting = withShortenedTexts(letter)
      partBytes = Math.max(1, await this.#maxPartBytes(fitting))
    }
    const parts = splitIntoParts(fitting, Math.min(MAX_PART_BYTES, partBytes))
    const records = await Promise.all(parts.map((part) => this.#encodeRecord(part, part.source, partId(part))))
    return { records, deadLetter: letter.reason }
  }

  /** Returns the bytes of body that fit into one record beside everything else in it. */
  async #maxPartBytes(letter: DeadLetter): Promise<number> {
    const [empty] = splitIntoParts({ ...letter, body: NO_BYTES }, 1)
    const record = await this.#encodeRecord(empty!, letter.source, letter.eventId)
    return this.#options.maxRecordBytes - this.#options.recordBytes(record) - PART_OVERHEAD_BYTES
  }

  async #encodeRecord(event: Event, key: string, id: string): Promise<OutgoingRecord> {
    if (!this.#cachedSchemas) throw new Error('encode was called before ready() resolved')
    const value = await this.#codec.encode(this.#cachedSchemas[event.kind].id, event)
    return { topic: this.#options.topics[event.kind], key, value, headers: cloudEventsHeaders(event, id) }
  }
}

/** The record key keeps the order of the receipts of one message, and of the messages of one handset (invariant 4). */
const keyOf = (event: DeliveryReceipt | InboundMessage): string =>
  event.kind === 'dlr' ? event.messageId : event.sender
