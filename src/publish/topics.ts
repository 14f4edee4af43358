/** The topics as they are found, or made, before anything is published. */
import type { Admin } from 'kafkajs'
import { ConnectorError } from '../errors.js'
import { NO_SUCH_TOPIC, saysAnyOf } from './kafka-errors.js'
import type { KafkaSettings } from './settings.js'

/**
 * How many partitions each topic has.
 * @throws ConnectorError TOPIC_MISSING names all that are missing; kafkajs errors as they come
 */
export async function openTopics(
  admin: Admin,
  { topics, createTopics }: Pick<KafkaSettings, 'topics' | 'createTopics'>,
): Promise<Map<string, number>> {
  const names = Object.values(topics) as string[]
  let partitions = await countPartitions(admin, names)
  let missing = names.filter((name) => !partitions.has(name))
  if (missing.length > 0 && createTopics) {
    const { partitions: numPartitions, replicationFactor } = createTopics
    await admin.createTopics({
      topics: missing.map((topic) => ({ topic, numPartitions, replicationFactor })),
      waitForLeaders: true,
    })
    partitions = await countPartitions(admin, names)
    missing = names.filter((name) => !partitions.has(name))
  }
  if (missing.length === 0) return partitions
  throw new ConnectorError(
    'TOPIC_MISSING',
    `no topic ${missing.join(', ')} on the cluster (or no right to see it); create it, or let kafka.createTopics do so`,
  )
}

/** One topic at a time: asked for several, kafkajs fails as a whole for the first that is missing. */
async function countPartitions(admin: Admin, names: readonly string[]): Promise<Map<string, number>> {
  const found = new Map<string, number>()
  for (const name of names) {
    try {
      const { topics } = await admin.fetchTopicMetadata({ topics: [name] })
      const count = topics.find((topic) => topic.name === name)?.partitions.length ?? 0
      if (count > 0) found.set(name, count)
    } catch (error) {
      if (!saysAnyOf(error, NO_SUCH_TOPIC)) throw error
    }
  }
  return found
}
