/**
 * This replica's membership in the consumer group that divides the sources. It joins the group, stays in it, and joins again
 * after it has lost the brokers. A failure here has no other effect than a log line and a change of the membership.
 *
 * The sharing topic is also read: replicas send each other watch requests through it (`watch-relay.ts`).
 */
import kafkajs, { type Admin, type Cluster, type KafkaMessage, type PartitionAssigner } from 'kafkajs'
import type { Config } from '../config/types.js'
import { orAborted } from '../core/abort.js'
import type { Clock } from '../core/clock.js'
import { Backoff, retry } from '../core/retry.js'
import type { Assignment } from './ownership.js'
import { type ConsumerClient, ConsumerSession } from './consumer-session.js'

/** `sharing` of the configuration. */
export type SharingSettings = NonNullable<Config['sharing']>

export interface GroupListener {
  /** The group has assigned these partitions, which replace all earlier ones. */
  assigned(assignment: Assignment): void
  /** @param sentAt when the heartbeat was sent that the group has answered, in milliseconds since the epoch */
  heartbeatAnswered(sentAt: number): void
  /** The replica is not in the group, or not yet. It tries to join again. */
  disconnected(error: unknown): void
  /** A record of the sharing topic in an assigned partition. If this rejects, the record is read again. */
  recordReceived(record: KafkaMessage): Promise<void>
}

export interface GroupMemberDeps {
  readonly createClient: () => ConsumerClient
  /**
   * Creates the sharing topic if that is allowed.
   * @returns the number of its partitions
   * @throws ConnectorError TOPIC_MISSING
   */
  readonly ensureTopic: (admin: Admin) => Promise<number>
  readonly clock: Clock
}

// Node.js does not detect this name among the exports of the CommonJS package.
const { roundRobin } = kafkajs.PartitionAssigners
/** The delays between attempts to join. */
const JOIN_DELAYS = { firstMs: 500, longestMs: 10_000 }
/** The longest interval between heartbeats, by which members learn of a rebalance. */
const MAX_HEARTBEAT_INTERVAL_MS = 1_000
/** The time after which added partitions are noticed. */
const METADATA_MAX_AGE_MS = 30_000

export class GroupMember {
  readonly #settings: SharingSettings
  readonly #deps: GroupMemberDeps
  readonly #listener: GroupListener
  readonly #stopping = new AbortController()
  readonly #backoff = new Backoff(JOIN_DELAYS)
  #running: Promise<unknown> = Promise.resolve()

  constructor(settings: SharingSettings, deps: GroupMemberDeps, listener: GroupListener) {
    this.#settings = settings
    this.#deps = deps
    this.#listener = listener
  }

  start(): void {
    const { signal } = this.#stopping
    this.#running = retry(() => this.#stayInGroup(signal), {
      clock: this.#deps.clock,
      backoff: this.#backoff,
      signal,
      shouldRetry: (error) => {
        if (!signal.aborted) this.#listener.disconnected(error)
        return true
      },
    }).catch((error: unknown) => {
      if (!signal.aborted) throw error
    })
  }

  /** Leaves the group, so that the other members need not wait for the session timeout. */
  async stop(): Promise<void> {
    this.#stopping.abort()
    await this.#running
  }

  /** Resolves when the signal aborts, and throws when the membership is lost. */
  async #stayInGroup(signal: AbortSignal): Promise<void> {
    const { createClient, ensureTopic, clock } = this.#deps
    const { group: groupId, topic, sessionTimeout } = this.#settings
    const heartbeatInterval = Math.min(MAX_HEARTBEAT_INTERVAL_MS, Math.floor(sessionTimeout / 10))
    // The assigner receives the metadata by which the group leader divides the partitions.
    let cluster: Cluster | undefined
    const assigner: PartitionAssigner = (given) => {
      cluster = given.cluster
      return roundRobin(given)
    }
    const session = new ConsumerSession(
      createClient(),
      {
        groupId,
        sessionTimeout,
        heartbeatInterval,
        maxWaitTimeInMs: heartbeatInterval,
        metadataMaxAge: METADATA_MAX_AGE_MS,
        partitionAssigners: [assigner],
      },
      clock,
      (sentAt) => this.#listener.heartbeatAnswered(sentAt),
    )
    const { consumer, kafka } = session
    consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => {
      const assigned = payload.memberAssignment[topic] ?? []
      this.#reportAssignment({ assigned, partitions: cluster?.findTopicPartitionMetadata(topic).length ?? 0 })
    })
    const join = async (): Promise<void> => {
      const admin = kafka.admin()
      await admin.connect()
      await ensureTopic(admin)
      await admin.disconnect()
      await consumer.connect()
      await consumer.subscribe({ topic, fromBeginning: true })
      await session.run({ eachMessage: ({ message }) => this.#listener.recordReceived(message) })
    }
    try {
      // The membership lasts until the session ends or the signal aborts.
      const lasting = join().then(() => new Promise<never>(() => undefined))
      await orAborted(session.whileOpen(lasting), signal)
    } finally {
      await session.close()
    }
  }

  #reportAssignment(assignment: Assignment): void {
    if (this.#stopping.signal.aborted) return
    this.#backoff.reset()
    this.#listener.assigned(assignment)
  }
}
