/** Decodes records of the topics for `tail`, with the schemas of the registry that they were written with. */
import { SchemaRegistry, SchemaType } from '@kafkajs/confluent-schema-registry'
import { messageOf } from '../core/errors.js'
import { parseCloudEventsHeaders } from '../encode/cloudevents-headers.js'
import { readSchemaId } from '../encode/wire-format.js'
import type { StoredRecord } from '../kafka/committed-record-reader.js'
import { quote } from '../masking/known-secrets.js'
import { personalDataMask } from '../masking/personal-data.js'
import type { RegistryClient } from '../registry/registry-client.js'
import { type EventKind, parseSchema } from '../registry/schemas.js'

/** A record as `tail --json` prints it. */
export interface DecodedRecord {
  readonly topic: string
  readonly partition: number
  readonly offset: number
  /** The timestamp of the record, in milliseconds since the epoch. */
  readonly timestamp: number
  readonly key: string | null
  readonly headers: Readonly<Record<string, string>>
  /** The id and the full name of the schema that the value was written with. */
  readonly schemaId?: number
  readonly schema?: string
  /** Present if the value was decoded. */
  readonly value?: Readonly<Record<string, unknown>>
  /** Present if the value was not decoded: a sentence that says why. */
  readonly problem?: string
}

/** A decoded record, and what its topic carries. */
export interface TailRecord extends DecodedRecord {
  readonly kind: EventKind
}

type WriterSchema = { readonly name: string } | { readonly problem: string }

export class RecordDecoder {
  readonly #registry: Pick<RegistryClient, 'getSchema' | 'url'>
  readonly #kinds: ReadonlyMap<string, EventKind>
  readonly #schemas = new Map<number, WriterSchema>()
  /**
   * Decodes by the schemas in its cache. They come from `RegistryClient`, which has the connector's own credentials and errors,
   * so that this never connects to its host.
   */
  readonly #codec = new SchemaRegistry({ host: 'http://unused.invalid' })

  /** @param kinds what each topic carries */
  constructor(registry: Pick<RegistryClient, 'getSchema' | 'url'>, kinds: ReadonlyMap<string, EventKind>) {
    this.#registry = registry
    this.#kinds = kinds
  }

  /**
   * A record that can't be decoded is returned with the problem.
   * @throws ConnectorError REGISTRY_UNREACHABLE, REGISTRY_REFUSED
   */
  async decode({ topic, partition, offset, timestamp, key, value, headers }: StoredRecord): Promise<TailRecord> {
    const kind = this.#kinds.get(topic)!
    const place = { kind, topic, partition, offset, timestamp, key: key === null ? null : key.toString(), headers }
    if (value === null) return { ...place, problem: 'the record has no value' }
    const schemaId = readSchemaId(value)
    if (schemaId === undefined) {
      return { ...place, problem: `the value (${value.length} bytes) is not in the Confluent wire format` }
    }
    const writer = await this.#schemaOf(schemaId)
    if ('problem' in writer) return { ...place, schemaId, problem: writer.problem }
    const schema = writer.name
    try {
      const decoded: unknown = await this.#codec.decode(value)
      if (typeof decoded !== 'object' || decoded === null) throw new Error(`it is a ${schema}, not a record`)
      return { ...place, schemaId, schema, value: { ...decoded } }
    } catch (error) {
      const problem = `the value does not fit schema ${schema} with id ${schemaId}: ${quoteError(error)}`
      return { ...place, schemaId, schema, problem }
    }
  }

  async #schemaOf(id: number): Promise<WriterSchema> {
    const known = this.#schemas.get(id)
    if (known !== undefined) return known
    const schema = await this.#fetchSchema(id)
    this.#schemas.set(id, schema)
    return schema
  }

  async #fetchSchema(id: number): Promise<WriterSchema> {
    const text = await this.#registry.getSchema(id)
    if (text === undefined) {
      return {
        problem: `the registry at ${this.#registry.url} has no schema with id ${id}, which the record was written with`,
      }
    }
    try {
      const type = parseSchema(text)
      this.#codec.cache.setSchema(id, SchemaType.AVRO, type)
      return { name: type.name ?? type.typeName }
    } catch (error) {
      return { problem: `the schema with id ${id} can't be read as Avro: ${quoteError(error)}` }
    }
  }
}

/** The library quotes values and schemas, which may be long, and may be personal data. */
const quoteError = (error: unknown): string => personalDataMask('masked').sentence(quote(messageOf(error)))

/** Returns the source of a record, by its value or else by its headers. */
export function sourceOf({ value, headers }: DecodedRecord): string | undefined {
  const source = value?.['source']
  return typeof source === 'string' ? source : parseHeaders(headers).source
}

/** Returns the event id of a record, by its value or else by its headers; the same for all parts of a dead letter. */
export function eventIdOf({ value, headers }: DecodedRecord): string {
  const eventId = value?.['eventId']
  return typeof eventId === 'string' ? eventId : parseHeaders(headers).id.replace(/\/\d+$/, '')
}

const parseHeaders = (headers: Readonly<Record<string, string>>) =>
  parseCloudEventsHeaders((name) => headers[name] ?? '')
