/** What stands between the journal and Kafka, built from the configuration. */
import type { Logger } from 'pino'
import type { Clock } from './clock.js'
import type { Config } from './config/config.js'
import { AvroEncoder } from './encode/avro-encoder.js'
import { RegistryApi } from './encode/registry-api.js'
import { SchemaGate, type Subject } from './encode/registry.js'
import { RememberedIds } from './encode/remembered-ids.js'
import { type Kind, KINDS, loadSchemas, subjectOf } from './encode/schemas.js'
import { AtLeastOncePublisher } from './publish/at-least-once-publisher.js'
import { KafkaPublisher } from './publish/kafka-publisher.js'
import type { Publisher } from './publish/publisher.js'
import { maxRecordBytes, recordBytes } from './publish/record-size.js'
import type { KafkaSettings } from './publish/settings.js'

/** Which topic a kind of record goes to. */
export const topicsOf = ({ kafka: { topics } }: Config): Readonly<Record<Kind, string>> => ({
  dlr: topics.dlr,
  mo: topics.mo,
  'dead-letter': topics.deadLetter,
})

/** Which subject of the registry governs a kind of record. */
export function subjectsOf(config: Config): Readonly<Record<Kind, Subject>> {
  const schemas = loadSchemas()
  const topics = topicsOf(config)
  const subject = (kind: Kind): Subject => ({
    name: subjectOf(config.registry.subjectNaming, topics[kind], schemas[kind]),
    schema: schemas[kind],
  })
  return Object.fromEntries(KINDS.map((kind) => [kind, subject(kind)])) as Record<Kind, Subject>
}

export const kafkaSettings = (config: Config): KafkaSettings => ({ ...config.kafka, instance: config.instance })

export function buildEncoder(config: Config, clock: Clock, log: Logger): { encoder: AvroEncoder; gate: SchemaGate } {
  const gate = new SchemaGate({
    api: new RegistryApi(config.registry),
    register: config.registry.register,
    subjects: subjectsOf(config),
    remembered: new RememberedIds(config.journal.directory),
    clock,
    log,
  })
  const encoder = new AvroEncoder({
    gate,
    topics: topicsOf(config),
    maxRecordBytes: maxRecordBytes(config.kafka.maxBatchBytes),
    recordBytes,
  })
  return { encoder, gate }
}

export function buildPublisher(config: Config, clock: Clock, log: Logger): Publisher {
  const parts = { settings: kafkaSettings(config), clock, log }
  return config.kafka.delivery === 'exactly-once' ? new KafkaPublisher(parts) : new AtLeastOncePublisher(parts)
}
