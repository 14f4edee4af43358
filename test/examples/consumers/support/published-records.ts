/** Everything that a consumer of the topics may meet, published by the connector on a real broker with a real registry. */
import { randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import avro from 'avsc'
import { kafkaClient, withAdmin } from '../../../../dev/kafka/topics.js'
import { badInputMark, BAD_CALLBACKS, badRow } from '../../../../dev/oracle/bad-input.js'
import { kindOfTopic, type TopicKind } from '../../../../dev/oracle/topic-reader.js'
import { ProviderData, SEVEN_STATUSES } from '../../../../dev/simulators/provider-data.js'
import { messageEvent, receiptEvent } from '../../../../dev/simulators/seven-requests.js'
import { startTrial, untilPublished, type Trial, type TrialStack } from '../../../../dev/trial.js'
import { until } from '../../../../dev/wait.js'

/** What an example prints of a record. examples/consumers/README.md describes it. */
export interface PrintedRecord {
  readonly topic: string
  readonly partition: number
  readonly offset: number
  readonly timestamp: number
  readonly key: string
  readonly headers: Readonly<Record<string, string>>
  readonly value: Readonly<Record<string, unknown>>
  /** Of receipts only. */
  readonly outcome?: string
}

const SEED = 31
/** Three parts of at most 512 KiB. */
const LARGE_BODY_BYTES = 1_300_000
const LARGE_BODY_MARK = badInputMark(SEED, 100)

/** The source of the records that the test publishes by itself. */
export const OTHER_SOURCE = 'other'

/** A status that seven's document does not list, and one that only a later version of the schema has. */
export const UNLISTED_STATUS_ID = 'receipt-with-a-status-that-seven-does-not-list'
export const FUTURE_STATUS_ID = 'receipt-of-a-later-version'

const SCHEMA_NAMES: Readonly<Record<TopicKind, string>> = {
  dlr: 'delivery-receipt',
  mo: 'inbound-message',
  deadLetter: 'dead-letter',
}
const readSchema = (path: string): string =>
  readFileSync(new URL(`../../../../schemas/${path}`, import.meta.url), 'utf8')

/**
 * Publishes records of the first version of the schemas, of today's version and of a later one, and records of a transaction that is
 * aborted. The caller stops the trial.
 */
export async function publishRecords(stack: TrialStack): Promise<Trial> {
  const trial = await startTrial(stack, ({ callbacks, registry }) => {
    callbacks['bodyLimit'] = '2MiB'
    registry['register'] = false
  })
  try {
    await publishFirstVersion(trial)
    await publishCurrentVersion(trial)
    await publishLaterVersion(trial)
    return trial
  } catch (error) {
    await trial.stop()
    throw error
  }
}

/** Publishes as a connector does whose registry holds the schemas of the release before. */
async function publishFirstVersion(trial: Trial): Promise<void> {
  for (const [kind, name] of Object.entries(SCHEMA_NAMES)) {
    await register(trial, kind as TopicKind, readSchema(`history/${name}.v1.avsc`))
  }
  const data = new ProviderData(SEED)
  trial.mtarget.enqueue([...data.mtargetReceipts(5), ...data.mtargetMessages(5), badRow(badInputMark(SEED, 1))])
  await trial.connector.start()
  await trial.seven.send(data.sevenReceipts(5).map(receiptEvent))
  await untilPublished(trial)
  await terminate(trial)
}

async function publishCurrentVersion(trial: Trial): Promise<void> {
  await trial.configure(({ registry }) => {
    registry['register'] = true
  })
  const data = new ProviderData(SEED + 1)
  const [longMessage] = data.mtargetMessages(1)
  trial.mtarget.enqueue([
    ...data.mtargetTraffic(50),
    ...data.mtargetParts(5),
    { ...longMessage, Content: 'Ünïcôdé 🐘 \\"quoted"\n'.repeat(200) },
    badRow(badInputMark(SEED, 2)),
  ])
  await trial.connector.start()
  const receipts = data.sevenReceipts(30)
  const eachStatus = SEVEN_STATUSES.map((status, index) => ({
    msg_id: `status-${index}`,
    status,
    foreign_id: `order-${index}`,
  }))
  const ofOneMessage = (['ACCEPTED', 'DELIVERED', 'TRANSMITTED'] as const).map((status) => ({
    msg_id: 'several',
    status,
  }))
  await trial.seven.send([...receipts, ...eachStatus, ...ofOneMessage].map(receiptEvent))
  await trial.seven.send(data.sevenInbound(30).map(messageEvent), 'json')
  await trial.seven.sendRaw({ query: `msg_id=${UNLISTED_STATUS_ID}&status=EVAPORATED` })
  for (const [index, bad] of BAD_CALLBACKS.entries()) await trial.seven.sendRaw(bad(badInputMark(SEED, 10 + index)))
  // Bytes that are no text, and of which no two parts are equal.
  const largeBody = Buffer.from(Uint8Array.from({ length: LARGE_BODY_BYTES }, (_, index) => (index * index) >>> 7))
  largeBody.write(LARGE_BODY_MARK)
  await trial.seven.sendRaw({ body: largeBody, contentType: 'application/octet-stream' })
  await untilPublished(trial)
  await terminate(trial)
}

async function terminate(trial: Trial): Promise<void> {
  const code = await trial.connector.terminate()
  if (code !== 0) throw new Error(`The connector ended with code ${code}.`)
}

/** Publishes a receipt as a later version of the connector may: with one more field, and with one more symbol of an enum. */
async function publishLaterVersion(trial: Trial): Promise<void> {
  const schema = JSON.parse(readSchema('delivery-receipt.avsc')) as { fields: { name: string; type: unknown }[] }
  const status = schema.fields.find(({ name }) => name === 'status')!.type as { symbols: string[] }
  status.symbols.push('READ')
  schema.fields.push({ name: 'campaign', type: ['null', 'string'], default: null } as (typeof schema.fields)[number])
  const receipt = {
    messageId: FUTURE_STATUS_ID,
    status: 'READ',
    final: true,
    providerStatus: 'READ',
    raw: {},
    campaign: 'spring',
  }
  await publish(trial, 'dlr', JSON.stringify(schema), { ...receipt, eventId: randomUUID() })
}

/** Publishes one of the two parts of a dead letter, as the last record of its partition. */
export async function publishDeadLetterPart(trial: Trial, eventId: string, part: 0 | 1): Promise<void> {
  const texts = { reason: 'test', detail: 'a dead letter in two parts', request: {} }
  const letter = { ...texts, eventId, body: Buffer.from(`body of part ${part}. `), part, parts: 2 }
  await publish(trial, 'deadLetter', readSchema('dead-letter.avsc'), letter)
}

const CLOUDEVENTS_TYPES = { dlr: 'sms.delivery-receipt.v1', deadLetter: 'sms.dead-letter.v1' }

interface Event extends Record<string, unknown> {
  readonly eventId: string
  readonly part?: number
}

/** Publishes an event with the source `OTHER_SOURCE` in a transaction, after one that is aborted. */
async function publish(trial: Trial, kind: 'dlr' | 'deadLetter', schema: string, event: Event): Promise<void> {
  const { stack, topics } = trial
  const id = await register(trial, kind, schema)
  const receivedAt = Date.now()
  const record = { source: OTHER_SOURCE, provider: 'seven', receivedAt, via: 'CALLBACK', ...event }
  const header = Buffer.alloc(5)
  header.writeUInt32BE(id, 1)
  const value = Buffer.concat([header, avro.Type.forSchema(JSON.parse(schema) as avro.Schema).toBuffer(record)])
  const headers = {
    ce_specversion: '1.0',
    ce_id: event.part === 1 ? `${event.eventId}/1` : event.eventId,
    ce_source: `/seven/${OTHER_SOURCE}`,
    ce_type: CLOUDEVENTS_TYPES[kind],
    ce_time: new Date(receivedAt).toISOString(),
    'content-type': 'application/avro',
  }
  const message = { key: OTHER_SOURCE, value, headers, timestamp: String(receivedAt), partition: 0 }
  const topic = topics[kind]
  const transactionalId = `other-${randomUUID()}`
  const producer = kafkaClient(stack.brokers).producer({ transactionalId, idempotent: true, maxInFlightRequests: 1 })
  await producer.connect()
  try {
    const aborted = await producer.transaction()
    await aborted.send({ topic, messages: [{ ...message, key: 'aborted' }] })
    await aborted.abort()
    const committed = await producer.transaction()
    await committed.send({ topic, messages: [message] })
    await committed.commit()
  } finally {
    await producer.disconnect()
  }
}

/** Returns the id of the schema. */
async function register(
  { stack, topics }: Pick<Trial, 'stack' | 'topics'>,
  kind: TopicKind,
  schema: string,
): Promise<number> {
  const url = `${stack.registryUrl}/subjects/${topics[kind]}-value/versions`
  const headers = { 'content-type': 'application/vnd.schemaregistry.v1+json' }
  const response = await fetch(url, { method: 'POST', headers, body: JSON.stringify({ schema }) })
  if (!response.ok) throw new Error(`${url} answered ${response.status}: ${await response.text()}`)
  const { id } = (await response.json()) as { id: number }
  return id
}

/** A record as it is on the topic. */
export interface PublishedRecord extends Omit<PrintedRecord, 'value' | 'outcome'> {
  readonly value: Buffer
}

/**
 * Reads the committed records of the topics. It leaves no marks on them, which a consumer would have to skip.
 * The transaction that wrote the last record of a partition has left its end mark behind it.
 */
export async function readRecords({ stack, topics }: Trial): Promise<readonly PublishedRecord[]> {
  const names = [topics.dlr, topics.mo, topics.deadLetter]
  const kafka = kafkaClient(stack.brokers)
  /** The offsets of the last records that were not read yet, by topic and partition. */
  const unread = new Map<string, number>()
  await withAdmin(stack.brokers, async (admin) => {
    for (const topic of names) {
      for (const { partition, high } of await admin.fetchTopicOffsets(topic)) {
        if (Number(high) > 0) unread.set(`${topic} ${partition}`, Number(high) - 2)
      }
    }
  })
  const records: PublishedRecord[] = []
  const consumer = kafka.consumer({ groupId: `expectation-${randomUUID()}`, maxWaitTimeInMs: 100 })
  await consumer.connect()
  try {
    await consumer.subscribe({ topics: names, fromBeginning: true })
    await consumer.run({
      eachMessage: async ({ topic, partition, message }) => {
        const { offset, timestamp, key, value, headers = {} } = message
        const texts = Object.fromEntries(Object.entries(headers).map(([name, text]) => [name, String(text)]))
        const place = { topic, partition, offset: Number(offset), timestamp: Number(timestamp) }
        records.push({ ...place, key: String(key), headers: texts, value: value! })
        if (unread.get(`${topic} ${partition}`) === Number(offset)) unread.delete(`${topic} ${partition}`)
      },
    })
    await until(() => unread.size === 0)
  } finally {
    await consumer.disconnect()
  }
  return records
}

/** The lines that an example has to print of these records: each event, and each dead letter joined. */
export async function expectedLines(trial: Trial, records: readonly PublishedRecord[]): Promise<PrintedRecord[]> {
  const decode = new Decoder(trial)
  const lines: PrintedRecord[] = []
  /** The bodies of the parts that were read so far, by event id. The parts are in order. */
  const bodies = new Map<string, Buffer[]>()
  for (const { value: bytes, ...record } of records) {
    const kind = kindOfTopic(trial.topics, record.topic)!
    const value = await decode.decode(kind, bytes)
    if (kind === 'deadLetter') {
      const eventId = value['eventId'] as string
      const parts = [...(bodies.get(eventId) ?? []), value['body'] as Buffer]
      bodies.set(eventId, parts)
      if (parts.length < (value['parts'] as number)) continue
      lines.push({ ...record, value: { ...value, body: Buffer.concat(parts).toString('base64') } })
    } else if (kind === 'dlr') lines.push({ ...record, value, outcome: expectedOutcome(value) })
    else lines.push({ ...record, value })
  }
  return lines
}

const FAILED = ['EXPIRED', 'DELETED', 'UNDELIVERABLE', 'REJECTED', 'SKIPPED']

function expectedOutcome({ status, final }: PrintedRecord['value']): string {
  if (status === 'DELIVERED') return 'delivered'
  if (FAILED.includes(status as string)) return 'failed'
  return final === true ? 'ended' : 'pending'
}

/** Decodes with the schemas of this repository as the readers' schemas, and with those of the registry as the writers'. */
class Decoder {
  readonly #registryUrl: string
  readonly #readers: Readonly<Record<TopicKind, avro.Type>>
  readonly #resolvers = new Map<string, avro.Resolver>()

  constructor({ stack }: Pick<Trial, 'stack'>) {
    this.#registryUrl = stack.registryUrl
    const readerOf = (kind: TopicKind): avro.Type =>
      avro.Type.forSchema(JSON.parse(readSchema(`${SCHEMA_NAMES[kind]}.avsc`)) as avro.Schema)
    this.#readers = { dlr: readerOf('dlr'), mo: readerOf('mo'), deadLetter: readerOf('deadLetter') }
  }

  async decode(kind: TopicKind, bytes: Buffer): Promise<Record<string, unknown>> {
    const id = bytes.readUInt32BE(1)
    const key = `${kind} ${id}`
    let resolver = this.#resolvers.get(key)
    if (resolver === undefined) {
      const response = await fetch(`${this.#registryUrl}/schemas/ids/${id}`)
      const { schema } = (await response.json()) as { schema: string }
      resolver = this.#readers[kind].createResolver(avro.Type.forSchema(JSON.parse(schema) as avro.Schema))
      this.#resolvers.set(key, resolver)
    }
    const decoded: unknown = this.#readers[kind].fromBuffer(bytes.subarray(5), resolver)
    return toPlain(decoded) as Record<string, unknown>
  }
}

/** Replaces the classes of avsc by plain objects, so that they equal what was parsed from JSON. */
const toPlain = (value: unknown): unknown =>
  typeof value !== 'object' || value === null || value instanceof Uint8Array
    ? value
    : Object.fromEntries(Object.entries(value).map(([name, each]) => [name, toPlain(each)]))
