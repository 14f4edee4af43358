/** Finds the topics, and creates missing ones if the configuration allows that, before anything is published. */
import type { Admin } from 'kafkajs'
import type { Clock } from '../core/clock.js'
import { ConnectorError } from '../core/errors.js'
import type { Log } from '../core/log.js'
import { Backoff, retry } from '../core/retry.js'
import { createKafkaClient } from './kafka-client.js'
import { UNKNOWN_TOPIC, hasErrorType, toConnectionError } from './kafka-errors.js'
import { MAX_SILENT_TIMEOUTS, withDeadline } from './kafkajs-workarounds/operation-deadline.js'
import type { KafkaSettings } from './settings.js'

/** The errors of a broker that does not have all metadata of a new topic yet. */
const NOT_YET_PROPAGATED: ReadonlySet<string> = new Set([
  ...UNKNOWN_TOPIC,
  'LEADER_NOT_AVAILABLE',
  'NOT_LEADER_FOR_PARTITION',
])
const NOT_AUTHORIZED: ReadonlySet<string> = new Set(['TOPIC_AUTHORIZATION_FAILED'])
/** How often the leaders of new topics are asked for. */
const PROPAGATION_INTERVAL_MS = 50
/** How long the leaders of new topics are awaited. */
const PROPAGATION_TIMEOUT_MS = 5_000

/** `fetchTopicPartitions` is given up after this many request timeouts, even while brokers answer. */
const MAX_REQUESTS = 20

/** TOPIC_MISSING, with every topic that does not exist on the cluster or that this user has no right to see. */
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

/** How missing topics are created. */
export type TopicCreation = NonNullable<KafkaSettings['createTopics']> & {
  /** Whether the topic keeps the last record of each key (`cleanup.policy=compact`); default: false. */
  readonly isCompacted?: boolean
}

/**
 * Returns the number of partitions of each topic, after creating missing topics if `createTopics` is set.
 *
 * @throws MissingTopicsError; ConnectorError KAFKA_REFUSED; errors of kafkajs unchanged
 */
export async function ensureTopics(
  admin: Admin,
  names: readonly string[],
  createTopics: TopicCreation | undefined,
  clock: Clock,
): Promise<Map<string, number>> {
  let partitions = await countPartitions(admin, names)
  if (createTopics && partitions.size < names.length) {
    const missing = names.filter((name) => !partitions.has(name))
    await createMissingTopics(admin, missing, createTopics, clock)
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
  settings: KafkaSettings,
  names: readonly string[],
  clock: Clock,
  log: Log,
): Promise<Map<string, number>> {
  const client = createKafkaClient(settings, clock, log)
  const admin = client.kafka.admin()
  try {
    await admin.connect()
    return await withDeadline(
      ensureTopics(admin, names, undefined, clock),
      {
        maxSilenceMs: settings.requestTimeout * MAX_SILENT_TIMEOUTS,
        maxTotalMs: settings.requestTimeout * MAX_REQUESTS,
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
async function createMissingTopics(
  admin: Admin,
  names: readonly string[],
  { partitions: numPartitions, replicationFactor, isCompacted = false }: TopicCreation,
  clock: Clock,
): Promise<void> {
  // kafkajs must not wait for leaders, because it gives up on a broker that does not know the topic yet.
  const configEntries = isCompacted ? [{ name: 'cleanup.policy', value: 'compact' }] : []
  const topics = names.map((topic) => ({ topic, numPartitions, replicationFactor, configEntries }))
  await admin.createTopics({ topics, waitForLeaders: false })
  const giveUpAt = clock.monotonic() + PROPAGATION_TIMEOUT_MS
  for (const name of names) await waitForLeaders(admin, name, giveUpAt, clock)
}

/** Waits until every partition has a leader that answers for it. Resolves at `giveUpAt` in any case. */
async function waitForLeaders(admin: Admin, topic: string, giveUpAt: number, clock: Clock): Promise<void> {
  const isPropagating = (error: unknown): boolean => hasErrorType(error, NOT_YET_PROPAGATED)
  try {
    await retry(() => admin.fetchTopicOffsets(topic), {
      clock,
      backoff: new Backoff({ firstMs: PROPAGATION_INTERVAL_MS, longestMs: PROPAGATION_INTERVAL_MS }),
      shouldRetry: (error) => isPropagating(error) && clock.monotonic() < giveUpAt,
    })
  } catch (error) {
    if (!isPropagating(error)) throw error
  }
}

/** Asks for one topic at a time, because kafkajs rejects a request for several if one of them is missing. */
async function countPartitions(admin: Admin, names: readonly string[]): Promise<Map<string, number>> {
  const found = new Map<string, number>()
  const refused: string[] = []
  for (const name of names) {
    try {
      const { topics } = await admin.fetchTopicMetadata({ topics: [name] })
      const count = topics.find((topic) => topic.name === name)?.partitions.length ?? 0
      if (count > 0) found.set(name, count)
    } catch (error) {
      if (hasErrorType(error, NOT_AUTHORIZED)) refused.push(name)
      else if (!hasErrorType(error, UNKNOWN_TOPIC)) throw error
    }
  }
  // kafkajs does not say which topic a refusal is about.
  if (refused.length > 0) {
    const message = `Kafka refuses this client: this user has no right on topic ${refused.join(', ')}; grant it Write there to publish, Read to read`
    throw new ConnectorError('KAFKA_REFUSED', message)
  }
  return found
}
