/** Reads topics as a consumer with `isolation.level=read_committed` does. */
import { randomUUID } from 'node:crypto'
import type { Consumer, EachBatchPayload, KafkaMessage } from 'kafkajs'
import { until } from '../wait.js'
import { kafkaClient, partitionsOf, withAdmin } from './topics.js'

export interface CommittedRecord {
  readonly topic: string
  readonly partition: number
  readonly key: string
  readonly value: Buffer
  readonly headers: Readonly<Record<string, string>>
}

export interface CommittedReaderOptions {
  readonly brokers: readonly string[]
  readonly topics: readonly string[]
  /** Called with each record before the next record of its partition. If it throws, the reader fails with that error. */
  readonly onRecord?: (record: CommittedRecord) => Promise<void> | void
}

/** Marks the end of a partition. The value is the id of the reader that wrote the mark. */
const END_HEADER = 'end-of-reading'
const TOPICS_TIMEOUT_MS = 30_000
/** A reader without a new record for this time is assumed to wait for a transaction that never ends. */
const STALLED_AFTER_MS = 120_000

/** An independent consumer, in a group of its own, that reads every topic from its beginning. */
export class CommittedReader {
  readonly #options: CommittedReaderOptions
  readonly #id = randomUUID()
  readonly #consumer: Consumer
  /** By topic and partition. */
  readonly #nextOffsets = new Map<string, bigint>()
  /** The partitions whose end mark has been read. */
  readonly #ended = new Set<string>()
  #records: CommittedRecord[] = []
  #progressAt = Date.now()
  #failure: Error | undefined

  constructor(options: CommittedReaderOptions) {
    this.#options = options
    this.#consumer = kafkaClient(options.brokers).consumer({ groupId: `reader-${this.#id}`, maxWaitTimeInMs: 100 })
  }

  /** Starts reading as soon as all topics exist. */
  async start(): Promise<void> {
    const { brokers, topics } = this.#options
    await withAdmin(brokers, (admin) =>
      until(async () => {
        const existing = await admin.listTopics()
        return topics.every((topic) => existing.includes(topic))
      }, TOPICS_TIMEOUT_MS),
    )
    this.#consumer.on('consumer.crash', ({ payload }) => {
      // kafkajs restarts the consumer after an error that it calls retriable.
      if (!payload.restart) this.#failure ??= payload.error
    })
    await this.#consumer.connect()
    await this.#consumer.subscribe({ topics: [...topics], fromBeginning: true })
    await this.#consumer.run({ partitionsConsumedConcurrently: 3, eachBatch: (payload) => this.#readBatch(payload) })
  }

  /**
   * Reads everything that is on the topics now: writes a mark to the end of each partition and waits for the marks. Does
   * not resolve while a transaction is open, because records behind it are not committed yet.
   * @throws Error when a record is unreadable, or when reading makes no progress
   */
  async readToTheEnd(): Promise<void> {
    const { brokers, topics } = this.#options
    const producer = kafkaClient(brokers).producer({ allowAutoTopicCreation: false })
    await producer.connect()
    const partitions: string[] = []
    for (const topic of topics) {
      const numbers = await partitionsOf(brokers, topic)
      partitions.push(...numbers.map((partition) => `${topic}/${partition}`))
      // A compacted topic takes no record without a key.
      const mark = { key: END_HEADER, value: null, headers: { [END_HEADER]: this.#id } }
      const messages = numbers.map((partition) => ({ ...mark, partition }))
      await producer.send({ topic, messages })
    }
    await producer.disconnect()
    this.#progressAt = Date.now()
    await until(() => {
      if (this.#failure) throw this.#failure
      const unread = partitions.filter((partition) => !this.#ended.has(partition))
      if (unread.length > 0 && Date.now() - this.#progressAt > STALLED_AFTER_MS) {
        const reason = 'an open transaction may hold it up'
        throw new Error(`reading made no progress for ${STALLED_AFTER_MS} ms (${unread.join(', ')}): ${reason}`)
      }
      return unread.length === 0
    }, Infinity)
  }

  /** The records that were read since the last call. The records of a partition are in the order of the partition. */
  takeRecords(): CommittedRecord[] {
    if (this.#failure) throw this.#failure
    const records = this.#records
    this.#records = []
    return records
  }

  async stop(): Promise<void> {
    await this.#consumer.disconnect()
  }

  async #readBatch({ batch }: EachBatchPayload): Promise<void> {
    const place = `${batch.topic}/${batch.partition}`
    for (const message of batch.messages) {
      // A consumer that rejoins its group can receive records again, which are no duplicates on the topic.
      const offset = BigInt(message.offset)
      if (this.#failure || offset < (this.#nextOffsets.get(place) ?? 0n)) continue
      this.#nextOffsets.set(place, offset + 1n)
      this.#progressAt = Date.now()
      try {
        await this.#readMessage(batch.topic, batch.partition, message)
      } catch (error) {
        this.#failure ??= error instanceof Error ? error : new Error(String(error))
      }
    }
  }

  async #readMessage(topic: string, partition: number, { key, value, headers = {} }: KafkaMessage): Promise<void> {
    const mark = headers[END_HEADER]
    if (mark !== undefined) {
      if (String(mark) === this.#id) this.#ended.add(`${topic}/${partition}`)
      return
    }
    const record: CommittedRecord = {
      topic,
      partition,
      key: String(key),
      value: value ?? Buffer.alloc(0),
      headers: Object.fromEntries(Object.entries(headers).map(([name, text]) => [name, String(text)])),
    }
    await this.#options.onRecord?.(record)
    this.#records.push(record)
  }
}

/** All committed records of a topic, ordered by partition and by offset. */
export async function readCommitted(brokers: readonly string[], topic: string): Promise<CommittedRecord[]> {
  const reader = new CommittedReader({ brokers, topics: [topic] })
  try {
    await reader.start()
    await reader.readToTheEnd()
    return reader.takeRecords().sort((one, other) => one.partition - other.partition)
  } finally {
    await reader.stop()
  }
}
