/** Finds the topics, and creates missing ones if the configuration allows that, before anything is published. */
import type { Admin } from 'kafkajs'
import type { Logger } from 'pino'
import type { Clock } from '../core/clock.js'
import { ConnectorError } from '../core/errors.js'
import { createKafkaClient } from './kafka-client.js'
import { UNKNOWN_TOPIC, hasErrorType, toConnectionError } from './kafka-errors.js'
import { withDeadline } from './kafkajs-workarounds/operation-deadline.js'
import type { KafkaSettings } from './settings.js'

/** The errors of a broker that does not have all metadata of a new topic yet. */
const NOT_YET_PROPAGATED: ReadonlySet<string> = new Set([
  ...UNKNOWN_TOPIC,
  'LEADER_NOT_AVAILABLE',
  'NOT_LEADER_FOR_PARTITION',
])
/** How often, and for how long, the leaders of new topics are awaited, in milliseconds. */
const PROPAGATION = { intervalMs: 50, timeoutMs: 5_000 }

/** TOPIC_MISSING: topics that do not exist on the cluster, or that this user has no right to see. */
export class MissingTopicsError extends ConnectorError {
  readonly topics: readonly string[]

  constructor(topics: readonly string[]) {
    super(
      'TOPIC_MISSING',
      `topic ${topics.join(', ')} does not exist, or this user has no right to see it; create it, or set kafka.createTopics`,
    )
    this.topics = topics
  }
}

/**
 * Returns the number of partitions of each topic, after creating missing topics if `createTopics` is set.
 *
 * @throws the error TOPIC_MISSING, which lists all missing topics; errors of kafkajs unchanged
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

/**
 * Connects and returns the number of partitions of each topic, for `check`. It creates no topic and fences no producer.
 *
 * @throws ConnectorError KAFKA_UNREACHABLE, KAFKA_REFUSED, TOPIC_MISSING
 */
export async function fetchTopicPartitions(
  settings: Omit<KafkaSettings, 'topics'> & { readonly topics: object },
  clock: Clock,
  log: Logger,
): Promise<Map<string, number>> {
  const client = createKafkaClient(settings, clock, log)
  const admin = client.kafka.admin()
  try {
    await admin.connect()
    return await withDeadline(
      ensureTopics(admin, { topics: settings.topics }, clock),
      {
        maxSilenceMs: settings.requestTimeout * 3,
        maxTotalMs: settings.requestTimeout * 20,
        lastReceivedAt: client.lastReceivedAt,
      },
      'reading the metadata of the topics',
      clock,
    )
  } catch (error) {
    throw toConnectionError(error, settings.brokers)
  } finally {
    client.destroy()
  }
}

/** Creates topics and waits until the leaders of their partitions know them, because a send before that is refused. */
async function create(
  admin: Admin,
  names: readonly string[],
  { partitions: numPartitions, replicationFactor }: NonNullable<KafkaSettings['createTopics']>,
  clock: Clock,
): Promise<void> {
  // kafkajs must not wait for leaders, because it gives up on a broker that does not know the topic yet.
  const topics = names.map((topic) => ({ topic, numPartitions, replicationFactor }))
  await admin.createTopics({ topics, waitForLeaders: false })
  const giveUpAt = clock.monotonic() + PROPAGATION.timeoutMs
  for (const name of names) {
    while (!(await haveLeaders(admin, name)) && clock.monotonic() < giveUpAt) await clock.sleep(PROPAGATION.intervalMs)
  }
}

/** Whether every partition has a leader that answers for it. */
async function haveLeaders(admin: Admin, topic: string): Promise<boolean> {
  try {
    await admin.fetchTopicOffsets(topic)
    return true
  } catch (error) {
    if (hasErrorType(error, NOT_YET_PROPAGATED)) return false
    throw error
  }
}

/** Asks for one topic at a time, because kafkajs rejects a request for several if one of them is missing. */
async function countPartitions(admin: Admin, names: readonly string[]): Promise<Map<string, number>> {
  const found = new Map<string, number>()
  for (const name of names) {
    try {
      const { topics } = await admin.fetchTopicMetadata({ topics: [name] })
      const count = topics.find((topic) => topic.name === name)?.partitions.length ?? 0
      if (count > 0) found.set(name, count)
    } catch (error) {
      if (!hasErrorType(error, UNKNOWN_TOPIC)) throw error
    }
  }
  return found
}
