/** Events as Avro records in Confluent's wire format. */
import { SchemaRegistry, SchemaType } from '@kafkajs/confluent-schema-registry'
import type { DeadLetter, DeliveryReceipt, Event, InboundMessage } from '../core/event.js'
import { messageOf } from '../core/errors.js'
import type { OutgoingRecord } from '../kafka/publisher.js'
import { splitIntoParts, inPlaceOf, LONGEST_PART, partId, withShortenedDetail } from './dead-letters.js'
import type { EncodedEvent, Encoder, Origin } from './encoder.js'
import { cloudEventHeaders } from './headers.js'
import type { SchemaGate, WriterSchemas } from '../registry/schema-gate.js'
import type { EventKind } from '../registry/schemas.js'
import { parseSchema } from '../registry/writer-schema.js'

export interface AvroEncoderOptions {
  readonly gate: Pick<SchemaGate, 'ready' | 'writers'>
  readonly topics: Readonly<Record<EventKind, string>>
  /** What the broker takes as one record, by the measure of `recordBytes`. */
  readonly maxRecordBytes: number
  /** How many bytes a record takes in a batch, headers and overhead counted. */
  readonly recordBytes: (record: OutgoingRecord) => number
}

/** Body bytes that must fit beside all else, or the facts are shortened. */
const LEAST_PART = 1024
/** By how much length prefixes and part numbers of a full part may exceed those of an empty one. */
const GROWTH = 32

export class AvroEncoder implements Encoder {
  readonly #options: AvroEncoderOptions
  /** Serves for the wire format. Its cache holds every id we write with, so it never asks a registry: the host is unused. */
  readonly #codec = new SchemaRegistry({ host: 'http://unused.invalid' })
  #known: WriterSchemas | undefined

  constructor(options: AvroEncoderOptions) {
    this.#options = options
  }

  async ready(): Promise<void> {
    const { gate } = this.#options
    await gate.ready()
    if (this.#known === gate.writers) return
    for (const { id, schema } of Object.values(gate.writers)) {
      // A parsed type instead of text: parsed here once, and by the same rules as everywhere else.
      this.#codec.cache.setSchema(id, SchemaType.AVRO, parseSchema(schema))
    }
    this.#known = gate.writers
  }

  async encode(event: Event, origin: Origin): Promise<EncodedEvent> {
    if (event.kind === 'dead-letter') return this.#deadLetter(event)
    const { maxRecordBytes, recordBytes } = this.#options
    let record: OutgoingRecord
    try {
      record = await this.#record(event, keyOf(event), event.eventId)
    } catch (error) {
      // One event that its schema can't hold must not stand in the way of all others; its bytes are kept.
      return this.#deadLetter(
        inPlaceOf(event, origin, 'not-encodable', `the event does not fit its schema: ${messageOf(error)}`),
      )
    }
    const bytes = recordBytes(record)
    if (bytes <= maxRecordBytes) return { records: [record], deadLetter: null }
    const detail =
      `the ${event.kind === 'dlr' ? 'delivery receipt' : 'inbound message'} takes ${bytes} bytes as a record, ` +
      `${maxRecordBytes} fit; with a larger kafka.maxBatchBytes (and max.message.bytes of the topic) it can be replayed`
    return this.#deadLetter(inPlaceOf(event, origin, 'too-large', detail))
  }

  /** Invariant 3: whatever its size, a dead letter finds room. */
  async #deadLetter(letter: DeadLetter): Promise<EncodedEvent> {
    let fitting = letter
    let room = await this.#roomBeside(letter)
    if (room < LEAST_PART) {
      fitting = withShortenedDetail(letter)
      room = Math.max(1, await this.#roomBeside(fitting))
    }
    const parts = splitIntoParts(fitting, Math.min(LONGEST_PART, room))
    const records = await Promise.all(parts.map((part) => this.#record(part, part.source, partId(part))))
    return { records, deadLetter: letter.reason }
  }

  /** Body bytes that fit into a record beside everything else in it. */
  async #roomBeside(letter: DeadLetter): Promise<number> {
    const [empty] = splitIntoParts({ ...letter, body: NO_BYTES }, 1)
    const record = await this.#record(empty!, letter.source, letter.eventId)
    return this.#options.maxRecordBytes - this.#options.recordBytes(record) - GROWTH
  }

  async #record(event: Event, key: string, id: string): Promise<OutgoingRecord> {
    const { topics } = this.#options
    // The writers of the last `ready`, not the gate's: only their types are certain to be in the codec's cache.
    if (!this.#known) throw new Error('encode was called before ready() resolved')
    const value = await this.#codec.encode(this.#known[event.kind].id, event)
    return { topic: topics[event.kind], key, value, headers: cloudEventHeaders(event, id) }
  }
}

const NO_BYTES = Buffer.alloc(0)

/** What must keep its order: the states of one message, the messages of one handset. */
const keyOf = (event: DeliveryReceipt | InboundMessage): string =>
  event.kind === 'dlr' ? event.messageId : event.sender
