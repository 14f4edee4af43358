/**
 * This replica as a member of the group that divides the sources: joins, stays, and joins again after whatever parts it
 * from the brokers. Nothing that goes wrong here reaches beyond the log.
 *
 * The sharing topic is read as well: replicas hand each other watch requests through it (watch-relay.ts).
 */
import kafkajs, { type Admin, type Cluster, type KafkaMessage, type PartitionAssigner } from 'kafkajs'
import type { Clock } from '../core/clock.js'
import { orAborted, untilAborted } from '../core/abort.js'
import { ConsumerSession } from './consumer-session.js'
import type { Assignment } from './assignment.js'
import type { Log } from '../core/log.js'
import type { Client } from './deps.js'

/** `sharing` of the configuration; ms. */
export interface SharingSettings {
  readonly group: string
  readonly topic: string
  readonly sessionTimeout: number
}

export interface GroupListener {
  /** The group has spoken: from now on these partitions are ours, and no others. */
  assigned(assignment: Assignment): void
  /** @param sentAt when what the group has answered was sent, in ms since the epoch */
  heard(sentAt: number): void
  /** Out of the group, or not in yet. It is tried again. */
  lost(error: unknown): void
  /** A record of the sharing topic in one of our partitions. Read again if this rejects. */
  received(record: KafkaMessage): Promise<void>
}

export interface GroupMemberDeps {
  readonly client: () => Client
  /** Makes the topic if it may. @returns how many partitions it has @throws ConnectorError TOPIC_MISSING */
  readonly openTopic: (admin: Admin) => Promise<number>
  readonly clock: Clock
  readonly log: Log
}

/** Not among the names that Node.js finds in this CommonJS package. */
const { roundRobin } = kafkajs.PartitionAssigners
/** Ms between attempts. */
const RETRY = { first: 500, longest: 10_000 }
/** Ms between heartbeats at most: by them members learn that the group changes. */
const HEARTBEAT = 1_000
/** Ms after which added partitions are noticed. */
const METADATA_AGE = 30_000

export class GroupMember {
  readonly #settings: SharingSettings
  readonly #deps: GroupMemberDeps
  readonly #listener: GroupListener
  readonly #stopping = new AbortController()
  #running: Promise<void> = Promise.resolve()
  #delay = RETRY.first

  constructor(settings: SharingSettings, deps: GroupMemberDeps, listener: GroupListener) {
    this.#settings = settings
    this.#deps = deps
    this.#listener = listener
  }

  start(): void {
    this.#running = this.#run()
  }

  /** Leaves the group: the others need not wait for a time-out. */
  async stop(): Promise<void> {
    this.#stopping.abort()
    await this.#running
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopping
    while (!signal.aborted) {
      try {
        await this.#belong(signal)
      } catch (error) {
        if (signal.aborted) return
        this.#listener.lost(error)
        await this.#deps.clock.sleep(this.#delay, signal)
        this.#delay = Math.min(this.#delay * 2, RETRY.longest)
      }
    }
  }

  /** Ends by the signal; everything else is thrown. */
  async #belong(signal: AbortSignal): Promise<void> {
    const { client, openTopic, clock } = this.#deps
    const { group: groupId, topic, sessionTimeout } = this.#settings
    const heartbeatInterval = Math.min(HEARTBEAT, Math.floor(sessionTimeout / 10))
    // What the group divides among its members, as this member has just heard.
    let cluster: Cluster | undefined
    const assigner: PartitionAssigner = (given) => roundRobin({ ...given, cluster: (cluster = given.cluster) })
    const session = new ConsumerSession(
      client(),
      {
        groupId,
        sessionTimeout,
        heartbeatInterval,
        maxWaitTimeInMs: heartbeatInterval,
        metadataMaxAge: METADATA_AGE,
        partitionAssigners: [assigner],
      },
      clock,
      (sentAt) => this.#listener.heard(sentAt),
    )
    const { consumer, kafka } = session
    consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => {
      const assigned = payload.memberAssignment[topic] ?? []
      this.#assigned({ assigned, partitions: cluster?.findTopicPartitionMetadata(topic).length ?? 0 })
    })
    const join = async (): Promise<void> => {
      const admin = kafka.admin()
      await admin.connect()
      await openTopic(admin)
      await admin.disconnect()
      await consumer.connect()
      await consumer.subscribe({ topic, fromBeginning: true })
      await session.run({ eachMessage: ({ message }) => this.#listener.received(message) })
      await untilAborted(signal)
    }
    try {
      await orAborted(session.during(join()), signal)
    } finally {
      await session.close()
    }
  }

  #assigned(assignment: Assignment): void {
    if (this.#stopping.signal.aborted) return
    this.#delay = RETRY.first
    this.#listener.assigned(assignment)
  }
}
