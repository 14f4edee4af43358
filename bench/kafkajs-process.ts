/** kafkajs as its documentation shows it: transactions of the same records, without any code of the connector around it. */
import { CompressionTypes, type Message, type TopicMessages } from 'kafkajs'
import { createTopic, kafkaClient } from '../dev/kafka/topics.js'
import { serveParent, settingsFromParent } from './child.js'
import { PARTITIONS, RECORDS_PER_TRANSACTION } from './contenders/contender.js'
import { encodeRecords, publishingConfig, type PublishingPlan } from './encoded-records.js'

const plan = settingsFromParent<PublishingPlan>()
const config = await publishingConfig(plan)
for (const topic of Object.values(config.kafka.topics)) await createTopic(plan.brokers, topic, PARTITIONS)
const records = await encodeRecords(config, RECORDS_PER_TRANSACTION)
const producer = kafkaClient(plan.brokers).producer({
  transactionalId: plan.name,
  maxInFlightRequests: 1,
  idempotent: true,
  allowAutoTopicCreation: false,
})
await producer.connect()

function topicMessagesOf(count: number): TopicMessages[] {
  const byTopic = new Map<string, Message[]>()
  for (const { topic, key, value, headers } of records.slice(0, count)) {
    const messages = byTopic.get(topic) ?? []
    byTopic.set(topic, messages)
    messages.push({ key, value, headers })
  }
  return [...byTopic].map(([topic, messages]) => ({ topic, messages }))
}

serveParent<number, number>(undefined, async (count) => {
  const startedAt = performance.now()
  for (let published = 0; published < count; published += records.length) {
    const transaction = await producer.transaction()
    const topicMessages = topicMessagesOf(count - published)
    await transaction.sendBatch({ acks: -1, compression: CompressionTypes.None, topicMessages })
    await transaction.commit()
  }
  return (performance.now() - startedAt) / 1_000
})
