/** Generates the AsyncAPI 3 document of the topics, `docs/contracts/asyncapi.yaml`. */
import { CLOUDEVENTS_TYPES } from '../../src/encode/cloudevents-headers.js'
import type { AvroRecord, RecordSchema } from './avro-schema.js'

/** What the parser libraries of AsyncAPI know. The schemas use nothing of a later version of Avro. */
const AVRO_FORMAT = 'application/vnd.apache.avro;version=1.9.0'
const BINDING_VERSION = '0.5.0'

export interface AsyncApiDocument {
  readonly info: {
    readonly title: string
    readonly version: string
    readonly description: string
    readonly license: { readonly name: string }
  }
  readonly channels: Readonly<Record<string, AsyncApiChannel>>
  readonly components: { readonly messages: Readonly<Record<string, AsyncApiMessage>> }
}

export interface AsyncApiChannel {
  /** The topic. */
  readonly address: string
  /** One message, by its name. */
  readonly messages: Readonly<Record<string, object>>
}

export interface AsyncApiMessage {
  readonly name: string
  readonly headers: {
    readonly required: readonly string[]
    readonly properties: Readonly<Record<string, { readonly const?: string; readonly description?: string }>>
  }
  readonly payload: { readonly schema: AvroRecord }
  readonly bindings: { readonly kafka: { readonly key: { readonly description: string } } }
}

/** The document has more properties than the type names, which are those that the page shows. */
export const generateAsyncApi = (schemas: readonly RecordSchema[], version: string): AsyncApiDocument => {
  const document = {
    asyncapi: '3.0.0',
    info: {
      title: 'Records of dlr-mo-connector',
      version,
      description:
        'SMS delivery receipts and mobile-originated messages, published exactly once. Consumers read with isolation.level=read_committed. ' +
        'The names of the topics are the defaults; the configuration can change them. Generated from the Avro schemas.',
      license: { name: 'Apache-2.0', url: 'https://www.apache.org/licenses/LICENSE-2.0' },
    },
    defaultContentType: 'application/avro',
    channels: Object.fromEntries(schemas.map((schema) => [schema.kind, channelOf(schema)])),
    operations: Object.fromEntries(
      schemas.map(({ kind, record }) => [
        `publish${record.name}`,
        { action: 'send', channel: { $ref: `#/channels/${kind}` }, summary: record.doc },
      ]),
    ),
    components: { messages: Object.fromEntries(schemas.map((schema) => [schema.record.name, messageOf(schema)])) },
  }
  return document
}

const channelOf = ({ topic, record }: RecordSchema) => ({
  address: topic,
  description: record.doc,
  messages: { [record.name]: { $ref: `#/components/messages/${record.name}` } },
  bindings: { kafka: { topic, bindingVersion: BINDING_VERSION } },
})

const messageOf = ({ kind, record, key }: RecordSchema) => ({
  name: record.name,
  title: record.name,
  summary: record.doc,
  contentType: 'application/avro',
  headers: {
    type: 'object',
    required: ['ce_specversion', 'ce_id', 'ce_source', 'ce_type', 'ce_time', 'content-type'],
    properties: {
      ce_specversion: { type: 'string', const: '1.0' },
      ce_id: {
        type: 'string',
        description: 'The eventId; for the later parts of a dead letter followed by the number of the part.',
      },
      ce_source: {
        type: 'string',
        description: 'The provider and the source: /provider/source.',
        examples: ['/mtarget/marketing-fr'],
      },
      ce_type: { type: 'string', const: CLOUDEVENTS_TYPES[kind] },
      ce_time: { type: 'string', format: 'date-time', description: 'The time of receiving, as receivedAt.' },
      'content-type': { type: 'string', const: 'application/avro' },
      traceparent: { type: 'string', description: 'W3C trace context, of records that belong to a trace.' },
    },
  },
  payload: { schemaFormat: AVRO_FORMAT, schema: record },
  bindings: {
    kafka: {
      key: { type: 'string', description: `The value of ${key}.` },
      schemaIdLocation: 'payload',
      schemaIdPayloadEncoding: '4',
      schemaLookupStrategy: 'TopicNameStrategy',
      bindingVersion: BINDING_VERSION,
    },
  },
})
