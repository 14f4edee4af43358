/** Builds the encoder and the publisher from the configuration. */
import type { Clock } from '../core/clock.js'
import type { Config } from '../config/types.js'
import type { Log } from '../core/log.js'
import type { PublisherObserver } from '../core/observers.js'
import { AvroEncoder } from '../encode/avro-encoder.js'
import { RegistryClient, type RegistrySettings } from '../registry/registry-client.js'
import { SchemaGate } from '../registry/schema-gate.js'
import { RememberedSchemaIds } from '../registry/remembered-schema-ids.js'
import { type EventKind, forEachKind, loadSchemas, type Subject, subjectOf } from '../registry/schemas.js'
import { AtLeastOncePublisher } from '../kafka/at-least-once-publisher.js'
import { ExactlyOncePublisher } from '../kafka/exactly-once-publisher.js'
import { maxRecordBytes, maxEncodedBytes } from '../kafka/record-batch.js'
import type { KafkaSettings } from '../kafka/settings.js'

/** The topic of each kind of record. */
export const topicsOf = ({ kafka: { topics } }: Config): Readonly<Record<EventKind, string>> => ({
  dlr: topics.dlr,
  mo: topics.mo,
  'dead-letter': topics.deadLetter,
})

/** The registry subject of each kind of record. */
export function subjectsOf(config: Config): Readonly<Record<EventKind, Subject>> {
  const schemas = loadSchemas()
  const topics = topicsOf(config)
  return forEachKind((kind) => {
    const schema = schemas[kind]
    return { name: subjectOf(config.registry, topics[kind], schema), schema }
  })
}

export const kafkaSettings = ({ kafka, instance, proxy }: Config): KafkaSettings => ({ ...kafka, instance, proxy })

export const registrySettings = ({ registry, proxy }: Config): RegistrySettings => ({ ...registry, proxy })

export interface Encoding {
  readonly encoder: AvroEncoder
  readonly gate: SchemaGate
}

/** @param gate the gate of the encoder before, where the registry is the same */
export function buildEncoder(config: Config, clock: Clock, log: Log, gate = buildGate(config, clock, log)): Encoding {
  const encoder = new AvroEncoder({
    gate,
    topics: topicsOf(config),
    contents: config.records,
    maxRecordBytes: maxRecordBytes(config.kafka.maxBatchBytes),
    recordBytes: maxEncodedBytes,
  })
  return { encoder, gate }
}

const buildGate = (config: Config, clock: Clock, log: Log): SchemaGate =>
  new SchemaGate({
    client: new RegistryClient(registrySettings(config)),
    register: config.registry.register,
    subjects: subjectsOf(config),
    rememberedIds: new RememberedSchemaIds(config.journal.directory),
    clock,
    log,
  })

export function buildPublisher(
  config: Config,
  clock: Clock,
  log: Log,
  observer?: PublisherObserver,
): ExactlyOncePublisher | AtLeastOncePublisher {
  const deps = { settings: kafkaSettings(config), clock, log, ...(observer && { observer }) }
  return config.kafka.delivery === 'exactly-once' ? new ExactlyOncePublisher(deps) : new AtLeastOncePublisher(deps)
}
