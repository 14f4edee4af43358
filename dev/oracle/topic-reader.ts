import { SchemaRegistry } from '@kafkajs/confluent-schema-registry'
import { Kafka, logLevel } from 'kafkajs'
import type { Admin, Consumer, KafkaMessage } from 'kafkajs'
import { retryFor } from '../wait.js'

export interface Topics {
  dlr: string
  mo: string
  deadLetter: string
}

/** A record as its consumers see it: decoded with the schema that the registry holds for its id. */
export interface TopicRecord {
  topic: string
  key: string
  headers: Record<string, string>
  value: Record<string, unknown>
}

const END_HEADER = 'demo-end'
const TOPICS_PATIENCE_MS = 30_000
const END_PATIENCE_MS = 30_000

/**
 * An independent consumer of the three topics. It reads committed records only: what an aborted transaction left
 * behind is not there for it.
 */
export class TopicReader {
  readonly records: TopicRecord[] = []
  readonly #kafka: Kafka
  readonly #topics: string[]
  readonly #registry: SchemaRegistry
  readonly #admin: Admin
  readonly #consumer: Consumer
  readonly #ended = new Set<string>()
  readonly #listener: (seen: TopicRecord) => void

  /** @param listener called for each record as it comes */
  constructor(brokers: string[], registryUrl: string, topics: Topics, listener: (seen: TopicRecord) => void) {
    this.#kafka = new Kafka({ clientId: 'demo-reader', brokers, logLevel: logLevel.NOTHING })
    this.#topics = Object.values(topics) as string[]
    this.#registry = new SchemaRegistry({ host: registryUrl })
    this.#admin = this.#kafka.admin()
    this.#consumer = this.#kafka.consumer({ groupId: `demo-reader-${process.pid}-${Date.now()}` })
    this.#listener = listener
  }

  /** Waits for the connector to create its topics, then reads them from their beginning. */
  async start(): Promise<void> {
    await this.#admin.connect()
    await retryFor(async () => {
      const there = await this.#admin.listTopics()
      const missing = this.#topics.filter((topic) => !there.includes(topic))
      if (missing.length > 0) throw new Error(`the connector has not created ${missing.join(', ')}`)
    }, TOPICS_PATIENCE_MS)
    await this.#consumer.connect()
    await this.#consumer.subscribe({ topics: this.#topics, fromBeginning: true })
    await this.#consumer.run({
      partitionsConsumedConcurrently: 3,
      eachMessage: ({ topic, partition, message }) => this.#take(topic, partition, message),
    })
  }

  count(topic: string): number {
    return this.records.filter((record) => record.topic === topic).length
  }

  /**
   * Reads on until nothing can be left: a last record of our own is put at the end of each partition, and all of them
   * are awaited. Only when nobody else writes any more.
   */
  async readToTheEnd(): Promise<void> {
    const producer = this.#kafka.producer()
    await producer.connect()
    const { topics } = await this.#admin.fetchTopicMetadata({ topics: this.#topics })
    const partitions = topics.flatMap(({ name, partitions }) =>
      partitions.map(({ partitionId }) => ({ topic: name, partition: partitionId })),
    )
    for (const { topic, partition } of partitions) {
      await producer.send({ topic, messages: [{ partition, value: null, headers: { [END_HEADER]: '1' } }] })
    }
    await producer.disconnect()
    await retryFor(async () => {
      const left = partitions.length - this.#ended.size
      if (left > 0) throw new Error(`${left} partitions were not read to their end`)
    }, END_PATIENCE_MS)
  }

  /** All that there is, from start to stop. */
  async readAll(): Promise<TopicRecord[]> {
    try {
      await this.start()
      await this.readToTheEnd()
      return this.records
    } finally {
      await this.stop()
    }
  }

  async stop(): Promise<void> {
    await this.#consumer.disconnect()
    await this.#admin.disconnect()
  }

  async #take(topic: string, partition: number, message: KafkaMessage): Promise<void> {
    const headers: Record<string, string> = {}
    for (const [name, value] of Object.entries(message.headers ?? {})) headers[name] = String(value)
    if (message.value === null) {
      if (headers[END_HEADER] !== undefined) this.#ended.add(`${topic}/${partition}`)
      return
    }
    const value = (await this.#registry.decode(message.value)) as Record<string, unknown>
    const seen = { topic, key: message.key?.toString('utf8') ?? '', headers, value }
    this.records.push(seen)
    this.#listener(seen)
  }
}
