/**
 * Prints the records of the three topics, one JSON object in a line, until SIGTERM or SIGINT. With kafkajs, which reads
 * `read_committed` unless it is told otherwise.
 */
import { readFileSync } from 'node:fs'
import { SchemaRegistry } from '@kafkajs/confluent-schema-registry'
import avro from 'avsc'
import { type EachBatchPayload, type IHeaders, Kafka, type KafkaMessage, logLevel } from 'kafkajs'
import type { DeadLetter, DeliveryReceipt, InboundMessage } from 'dlr-mo-connector/schemas'
import { DeadLetterJoiner } from './dead-letter-joiner.js'

const env = (name: string, fallback: string): string => process.env[name] ?? fallback
const DLR_TOPIC = env('DLR_TOPIC', 'sms.dlr')
const MO_TOPIC = env('MO_TOPIC', 'sms.mo')
const DEAD_LETTER_TOPIC = env('DEAD_LETTER_TOPIC', 'sms.dead-letter')

const registry = new SchemaRegistry({ host: env('SCHEMA_REGISTRY_URL', 'http://localhost:8081') })
const kafka = new Kafka({ brokers: env('KAFKA_BROKERS', 'localhost:9092').split(','), logLevel: logLevel.WARN })
const consumer = kafka.consumer({ groupId: env('GROUP_ID', 'sms-example-typescript') })

/** The schema that this program was written for. What it does not know of a newer schema is skipped, or becomes the default. */
const readerOf = (file: string): avro.Type => {
  const schema = readFileSync(new URL(`../../../schemas/${file}`, import.meta.url), 'utf8')
  return avro.Type.forSchema(JSON.parse(schema) as avro.Schema)
}
const readers = new Map([
  [DLR_TOPIC, readerOf('delivery-receipt.avsc')],
  [MO_TOPIC, readerOf('inbound-message.avsc')],
  [DEAD_LETTER_TOPIC, readerOf('dead-letter.avsc')],
])
const resolvers = new Map<string, avro.Resolver>()

/** Decodes the Confluent wire format: a zero, the id of the writer's schema in four bytes, Avro. */
async function decode(topic: string, value: Buffer): Promise<unknown> {
  const id = value.readUInt32BE(1)
  const reader = readers.get(topic)!
  let resolver = resolvers.get(`${topic} ${id}`)
  if (resolver === undefined) {
    const writer = (await registry.getSchema(id)) as avro.Type
    resolver = reader.createResolver(writer)
    resolvers.set(`${topic} ${id}`, resolver)
  }
  return reader.fromBuffer(value.subarray(5), resolver) as unknown
}

const FAILED = new Set(['EXPIRED', 'DELETED', 'UNDELIVERABLE', 'REJECTED', 'SKIPPED'])

/** UNKNOWN also stands for every status that a newer schema adds. `final` holds whatever the status is. */
function outcomeOf({ status, final }: DeliveryReceipt): string {
  if (status === 'DELIVERED') return 'delivered'
  if (FAILED.has(status)) return 'failed'
  return final ? 'ended' : 'pending'
}

/** By topic and partition. */
const joiners = new Map<string, DeadLetterJoiner>()
// After a rebalance the parts that were waiting are read again, by the member that owns their partition then.
consumer.on('consumer.group_join', () => joiners.clear())

async function readBatch(payload: EachBatchPayload): Promise<void> {
  const { batch } = payload
  const { topic, partition } = batch
  const joiner = joiners.get(`${topic} ${partition}`) ?? new DeadLetterJoiner()
  joiners.set(`${topic} ${partition}`, joiner)
  for (const message of batch.messages) {
    await payload.heartbeat()
    const value = await decode(topic, message.value!)
    if (topic === DEAD_LETTER_TOPIC) {
      const letter = joiner.add(value as DeadLetter, BigInt(message.offset))
      if (letter === undefined) continue
      const body = Buffer.from(letter.body).toString('base64')
      print(topic, partition, message, { ...letter, body })
    } else if (topic === DLR_TOPIC) {
      print(topic, partition, message, value as DeliveryReceipt, { outcome: outcomeOf(value as DeliveryReceipt) })
    } else {
      print(topic, partition, message, value as InboundMessage)
    }
  }
  const next = joiner.firstOpenOffset ?? BigInt(batch.lastOffset()) + 1n
  await consumer.commitOffsets([{ topic, partition, offset: String(next) }])
}

function print(topic: string, partition: number, message: KafkaMessage, value: object, more: object = {}): void {
  const place = { topic, partition, offset: Number(message.offset), timestamp: Number(message.timestamp) }
  const line = { ...place, key: String(message.key), headers: textsOf(message.headers), value, ...more }
  console.log(JSON.stringify(line))
}

const textsOf = (headers: IHeaders = {}): Record<string, string> =>
  Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, String(value)]))

for (const signal of ['SIGTERM', 'SIGINT']) process.once(signal, () => void consumer.disconnect())
await consumer.connect()
await consumer.subscribe({ topics: [...readers.keys()], fromBeginning: true })
await consumer.run({ autoCommit: false, eachBatch: readBatch })
