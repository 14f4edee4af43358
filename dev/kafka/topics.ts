/** Looking at Kafka from outside, as a `read_committed` consumer does. */
import { randomUUID } from 'node:crypto'
import { type EachBatchPayload, Kafka, logLevel } from 'kafkajs'

export interface CommittedRecord {
  readonly topic: string
  readonly partition: number
  readonly key: string
  readonly value: Buffer
  readonly headers: Readonly<Record<string, string>>
}

const END = 'end-of-test'

const client = (brokers: readonly string[]): Kafka =>
  new Kafka({ clientId: 'test', brokers: [...brokers], logLevel: logLevel.NOTHING, retry: { initialRetryTime: 20 } })

/**
 * Every committed record of a topic, by partition in order. Writes a mark behind what is there and reads up to it: so
 * it ends by itself, and does not end while a transaction hangs.
 */
export async function readCommitted(brokers: readonly string[], topic: string): Promise<CommittedRecord[]> {
  const kafka = client(brokers)
  const mark = `${END} ${randomUUID()}`
  const partitions = await partitionsOf(brokers, topic)
  const producer = kafka.producer({
    allowAutoTopicCreation: false,
    createPartitioner:
      () =>
      ({ message }) =>
        message.partition!,
  })
  await producer.connect()
  await producer.send({ topic, messages: partitions.map((partition) => ({ key: mark, value: '', partition })) })
  await producer.disconnect()

  const seen: CommittedRecord[] = []
  const open = new Set(partitions)
  const consumer = kafka.consumer({ groupId: `test-${randomUUID()}`, maxWaitTimeInMs: 100, readUncommitted: false })
  await consumer.connect()
  await consumer.subscribe({ topic, fromBeginning: true })
  try {
    await new Promise<void>((resolve, reject) => {
      consumer.on('consumer.crash', ({ payload }) => reject(payload.error))
      const eachBatch = async ({ batch }: EachBatchPayload): Promise<void> => {
        for (const { key, value, headers } of batch.messages) {
          if (key?.toString() === mark) open.delete(batch.partition)
          if (key?.toString().startsWith(END)) continue
          seen.push({
            topic,
            partition: batch.partition,
            key: String(key),
            value: value ?? Buffer.alloc(0),
            headers: Object.fromEntries(Object.entries(headers ?? {}).map(([name, text]) => [name, String(text)])),
          })
        }
        if (open.size === 0) resolve()
      }
      consumer.run({ eachBatch }).catch(reject)
    })
  } finally {
    await consumer.disconnect()
  }
  return seen.sort((a, b) => a.partition - b.partition)
}

export async function withAdmin<T>(
  brokers: readonly string[],
  use: (admin: ReturnType<Kafka['admin']>) => Promise<T>,
): Promise<T> {
  const admin = client(brokers).admin()
  await admin.connect()
  try {
    return await use(admin)
  } finally {
    await admin.disconnect()
  }
}

export const partitionsOf = (brokers: readonly string[], topic: string): Promise<number[]> =>
  withAdmin(brokers, async (admin) => {
    const { topics } = await admin.fetchTopicMetadata({ topics: [topic] })
    return topics[0]!.partitions.map(({ partitionId }) => partitionId)
  })

/** Resolves when the topic can be seen. */
export const createTopic = (brokers: readonly string[], topic: string, numPartitions: number): Promise<void> =>
  withAdmin(brokers, async (admin) => {
    await admin.createTopics({ topics: [{ topic, numPartitions }], waitForLeaders: false })
    for (;;) {
      const found = await admin.fetchTopicMetadata({ topics: [topic] }).catch(() => undefined)
      if (found?.topics[0]?.partitions.length === numPartitions) return
    }
  })
