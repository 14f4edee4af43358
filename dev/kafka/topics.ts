/** Administration of topics from outside the product. */
import { type Admin, Kafka, logLevel } from 'kafkajs'
import { repairRequestQueues } from '../../src/kafka/kafkajs-workarounds/request-queue-timer.js'
import { until } from '../wait.js'

/** Creates a client that retries long enough for a broker that has just been started. */
export const kafkaClient = (brokers: readonly string[]): Kafka => {
  repairRequestQueues()
  return new Kafka({
    clientId: 'dlrmo-test',
    brokers: [...brokers],
    logLevel: logLevel.NOTHING,
    retry: { initialRetryTime: 50, retries: 8 },
  })
}

export async function withAdmin<T>(brokers: readonly string[], use: (admin: Admin) => Promise<T>): Promise<T> {
  const admin = kafkaClient(brokers).admin()
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

/** Resolves when clients can see the topic with all its partitions. */
export const createTopic = (brokers: readonly string[], topic: string, numPartitions: number): Promise<void> =>
  withAdmin(brokers, async (admin) => {
    await admin.createTopics({ topics: [{ topic, numPartitions }], waitForLeaders: false })
    await until(async () => {
      const metadata = await admin.fetchTopicMetadata({ topics: [topic] }).catch(() => undefined)
      return metadata?.topics[0]?.partitions.length === numPartitions
    })
  })
