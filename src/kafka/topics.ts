/** Finds the topics, and creates missing ones if the configuration allows that, before anything is published. */
import kafkajs, { type Admin } from 'kafkajs'
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
const NOT_AUTHORIZED: ReadonlySet<string> = new Set(['TOPIC_AUTHORIZATION_FAILED', 'CLUSTER_AUTHORIZATION_FAILED'])
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
    const [isOne, them] = topics.length === 1 ? [true, 'it'] : [false, 'them']
    super(
      'TOPIC_MISSING',
      `${topicsInWords(topics)} ${isOne ? 'does' : 'do'} not exist, or this user has no right to see ${them}; create ${them}, or ` +
        'set kafka.createTopics',
    )
    this.topics = topics
  }
}

/** KAFKA_REFUSED, with every topic on which this user has no right at all, or which it may not create. */
export class RefusedTopicsError extends ConnectorError {
  readonly topics: readonly string[]

  constructor(topics: readonly string[], explanation: string, options?: ErrorOptions) {
    super('KAFKA_REFUSED', `Kafka refuses this client: ${explanation}`, options)
    this.topics = topics
  }
}

const topicsInWords = (topics: readonly string[]): string =>
  `${topics.length === 1 ? 'topic' : 'topics'} ${topics.join(', ')}`

/** The settings of a topic that decide whether it takes the batches of this client. */
export interface TopicLimits {
  readonly topic: string
  /** `max.message.bytes`: the largest batch that the topic takes. */
  readonly maxMessageBytes: number
  /** `min.insync.replicas`: so many replicas must acknowledge a batch. */
  readonly minInsyncReplicas: number
  /** The smallest number of replicas of any partition. */
  readonly replicas: number
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
 * @throws RefusedTopicsError, MissingTopicsError; ConnectorError KAFKA_UNREACHABLE, KAFKA_REFUSED
 */
export const fetchTopicPartitions = (
  settings: KafkaSettings,
  names: readonly string[],
  clock: Clock,
  log: Log,
): Promise<Map<string, number>> =>
  askAboutTopics(settings, clock, log, (admin) => ensureTopics(admin, names, undefined, clock))

/**
 * Finds out whether this user may create the topics so, and the cluster can hold them. Creates nothing.
 * @throws RefusedTopicsError; ConnectorError KAFKA_UNREACHABLE, KAFKA_REFUSED
 */
export const validateTopicCreation = (
  settings: KafkaSettings,
  names: readonly string[],
  creation: TopicCreation,
  clock: Clock,
  log: Log,
): Promise<void> =>
  askAboutTopics(settings, clock, log, (admin) => createTopics(admin, names, creation, { validateOnly: true }))

/**
 * Returns the limits of those of the topics that exist.
 * @returns undefined if this user may not see the settings of the topics
 * @throws ConnectorError KAFKA_UNREACHABLE, KAFKA_REFUSED
 */
export const fetchTopicLimits = (
  settings: KafkaSettings,
  names: readonly string[],
  clock: Clock,
  log: Log,
): Promise<TopicLimits[] | undefined> =>
  askAboutTopics(settings, clock, log, async (admin) => {
    try {
      const existing = [...(await countPartitions(admin, names)).keys()]
      if (existing.length === 0) return []
      const type = kafkajs.ConfigResourceTypes.TOPIC
      const resources = existing.map((name) => ({
        type,
        name,
        configNames: ['max.message.bytes', 'min.insync.replicas'],
      }))
      const configs = (await admin.describeConfigs({ resources, includeSynonyms: false })).resources
      const { topics } = await admin.fetchTopicMetadata({ topics: existing })
      return topics.map(({ name, partitions }) => {
        const entries = configs.find(({ resourceName }) => resourceName === name)?.configEntries ?? []
        const valueOf = (key: string): number =>
          Number(entries.find(({ configName }) => configName === key)?.configValue)
        return {
          topic: name,
          maxMessageBytes: valueOf('max.message.bytes'),
          minInsyncReplicas: valueOf('min.insync.replicas'),
          replicas: Math.min(...partitions.map(({ replicas }) => replicas.length)),
        }
      })
    } catch (error) {
      if (error instanceof RefusedTopicsError || hasErrorType(error, NOT_AUTHORIZED)) return undefined
      throw error
    }
  })

/** @throws ConnectorError KAFKA_UNREACHABLE, KAFKA_REFUSED, or the ConnectorError of `ask` */
async function askAboutTopics<T>(
  settings: KafkaSettings,
  clock: Clock,
  log: Log,
  ask: (admin: Admin) => Promise<T>,
): Promise<T> {
  const client = createKafkaClient(settings, clock, log)
  const admin = client.kafka.admin()
  try {
    await admin.connect()
    return await withDeadline(
      ask(admin),
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
  creation: TopicCreation,
  clock: Clock,
): Promise<void> {
  await createTopics(admin, names, creation, { validateOnly: false })
  const giveUpAt = clock.monotonic() + PROPAGATION_TIMEOUT_MS
  for (const name of names) await waitForLeaders(admin, name, giveUpAt, clock)
}

/** @throws RefusedTopicsError if this user may not create them; errors of kafkajs unchanged */
async function createTopics(
  admin: Admin,
  names: readonly string[],
  { partitions: numPartitions, replicationFactor, isCompacted = false }: TopicCreation,
  { validateOnly }: { readonly validateOnly: boolean },
): Promise<void> {
  const configEntries = isCompacted ? [{ name: 'cleanup.policy', value: 'compact' }] : []
  const topics = names.map((topic) => ({ topic, numPartitions, replicationFactor, configEntries }))
  try {
    // kafkajs must not wait for leaders, because it gives up on a broker that does not know the topic yet.
    await admin.createTopics({ topics, validateOnly, waitForLeaders: false })
  } catch (error) {
    if (!hasErrorType(error, NOT_AUTHORIZED)) throw error
    const words = topicsInWords(names)
    throw new RefusedTopicsError(
      names,
      `this user may not create ${words}; grant it Create on ${names.length === 1 ? 'this topic' : 'these topics'} or on the ` +
        'cluster, or create what is missing with kafka-topics.sh',
      { cause: error },
    )
  }
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
    throw new RefusedTopicsError(
      refused,
      `this user has no right on ${topicsInWords(refused)}; grant it Write there to publish, and Read on the dead-letter topic as ` +
        'well; commands that show records need Read',
    )
  }
  return found
}
