/** The topics as they are found, or made, before anything is published. */
import type { Admin } from 'kafkajs'
import type { Clock } from '../core/clock.js'
import { ConnectorError } from '../core/errors.js'
import { NO_SUCH_TOPIC, hasErrorType } from './kafka-errors.js'
import type { KafkaSettings } from './settings.js'

/** What a broker says about a topic of which it has not heard everything yet. */
const NOT_YET: ReadonlySet<string> = new Set([...NO_SUCH_TOPIC, 'LEADER_NOT_AVAILABLE', 'NOT_LEADER_FOR_PARTITION'])
/** Milliseconds between looks at topics that were just made, and for how long. */
const LOOK = { every: 50, longest: 5_000 }

/** TOPIC_MISSING: topics that do not exist on the cluster, or that this user has no right to see. */
export class MissingTopicsError extends ConnectorError {
  readonly topics: readonly string[]

  constructor(topics: readonly string[]) {
    super(
      'TOPIC_MISSING',
      `no topic ${topics.join(', ')} on the cluster (or no right to see it); create it, or let kafka.createTopics do so`,
    )
    this.topics = topics
  }
}

/**
 * How many partitions each topic has.
 * @throws ConnectorError TOPIC_MISSING names all that are missing; kafkajs errors as they come
 */
export async function ensureTopics(
  admin: Admin,
  { topics, createTopics }: { readonly topics: object } & Pick<KafkaSettings, 'createTopics'>,
  clock: Clock,
): Promise<Map<string, number>> {
  const names = Object.values(topics) as string[]
  let partitions = await countPartitions(admin, names)
  if (createTopics && partitions.size < names.length) {
    await create(
      admin,
      names.filter((name) => !partitions.has(name)),
      createTopics,
      clock,
    )
    partitions = await countPartitions(admin, names)
  }
  const missing = names.filter((name) => !partitions.has(name))
  if (missing.length === 0) return partitions
  throw new MissingTopicsError(missing)
}

/** Made, and heard of by the brokers that lead its partitions: to send before is to be refused. */
async function create(
  admin: Admin,
  names: readonly string[],
  { partitions: numPartitions, replicationFactor }: NonNullable<KafkaSettings['createTopics']>,
  clock: Clock,
): Promise<void> {
  // Not waited for by kafkajs, which gives up on a broker that has not heard of a topic at all.
  const topics = names.map((topic) => ({ topic, numPartitions, replicationFactor }))
  await admin.createTopics({ topics, waitForLeaders: false })
  const giveUpAt = clock.monotonic() + LOOK.longest
  for (const name of names) {
    while (!(await isLed(admin, name)) && clock.monotonic() < giveUpAt) await clock.sleep(LOOK.every)
  }
}

/** Whether the leader of every partition knows that it is. */
async function isLed(admin: Admin, topic: string): Promise<boolean> {
  try {
    await admin.fetchTopicOffsets(topic)
    return true
  } catch (error) {
    if (hasErrorType(error, NOT_YET)) return false
    throw error
  }
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
      if (!hasErrorType(error, NO_SUCH_TOPIC)) throw error
    }
  }
  return found
}
