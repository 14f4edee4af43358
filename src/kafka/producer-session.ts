/**
 * One producer from its creation to its end, with its own Kafka client. After any failure it is destroyed and never repaired
 * (invariant 7).
 */
import type { Admin, Producer, RequestTimeoutEvent, Transaction } from 'kafkajs'
import type { Logger } from 'pino'
import { orTimeout } from '../core/abort.js'
import type { Clock } from '../core/clock.js'
import { Backoff, retry } from '../core/retry.js'
import {
  COORDINATOR_UNAVAILABLE,
  formatKafkaError,
  hasErrorType,
  isBrokerResponse,
  isRefusedByBroker,
} from './kafka-errors.js'
import { createKafkaClient, type KafkaClient } from './kafka-client.js'
import { MAX_SILENT_TIMEOUTS, withDeadline } from './kafkajs-workarounds/operation-deadline.js'
import { sendAndVerify } from './kafkajs-workarounds/send-and-verify.js'
import { createJavaPartitioner } from './partitioner.js'
import type { OutgoingRecord } from './publisher.js'
import { type Partitioner, splitIntoSends } from './send-batches.js'
import type { KafkaSettings } from './settings.js'
import { ensureTopics } from './topics.js'

export interface ProducerSessionDeps {
  readonly settings: KafkaSettings
  readonly clock: Clock
  readonly log: Logger
}

/**
 * The most requests that each step sends one after the other, including those that connect to brokers for the first time. With
 * one known broker it is 14 for opening, 4 for the position, 3 for each send and 2 for the commit.
 */
const MAX_REQUESTS_OF_STEP = { 'opening a producer': 40, 'storing the position': 12, 'a send': 12, 'a commit': 10 }

/** How long a clean disconnect may take before the connections are cut. */
const DISCONNECT_TIMEOUT_MS = 1_000
/** The delay between requests to a group coordinator that is not available yet. */
const COORDINATOR_RETRY_MS = 50

export class ProducerSession {
  readonly #client: KafkaClient
  readonly #clock: Clock
  readonly #settings: KafkaSettings
  readonly admin: Admin
  readonly producer: Producer
  /** The number of partitions of each topic. */
  readonly #partitions = new Map<string, number>()
  /** The last request of the current step that was not answered in time. */
  #unansweredRequest: string | undefined
  readonly #partitionOf: Partitioner = createJavaPartitioner(this.#partitions)

  /** @param transaction absent for a producer without transactions */
  constructor(
    { settings, clock, log }: ProducerSessionDeps,
    transaction?: { readonly id: string; readonly timeoutMs: number },
  ) {
    this.#clock = clock
    this.#settings = settings
    this.#client = createKafkaClient(settings, clock, log)
    this.admin = this.#client.kafka.admin()
    this.producer = this.#client.kafka.producer({
      ...(transaction && { transactionalId: transaction.id, transactionTimeout: transaction.timeoutMs }),
      maxInFlightRequests: 1,
      allowAutoTopicCreation: false,
      // The partition was chosen in `send-batches.ts`. kafkajs refreshes its metadata every few minutes, so that new
      // partitions are used from the next transaction on.
      createPartitioner:
        () =>
        ({ topic, partitionMetadata, message }) => {
          this.#partitions.set(topic, partitionMetadata.length)
          return message.partition!
        },
      // kafkajs repeats no send. It takes sequence numbers back on an error. If a send went to several brokers, it does not
      // wait for the others before it repeats, and it does not send again to a broker that has answered, whichever
      // partitions that broker leads by then. A repeated send could be dropped as a duplicate, be doubled under new
      // numbers, or leave records out.
      retry: { retries: 0 },
    })
    const onTimeout = ({ payload }: RequestTimeoutEvent): void => {
      this.#unansweredRequest = payload.apiName
    }
    this.admin.on(this.admin.events.REQUEST_TIMEOUT, onTimeout)
    this.producer.on(this.producer.events.REQUEST_TIMEOUT, onTimeout)
  }

  /** Milliseconds without a byte from Kafka after which a step is given up. */
  get maxSilenceMs(): number {
    return MAX_SILENT_TIMEOUTS * this.#settings.requestTimeout
  }

  /**
   * Settles like `operation`. It is given up only if no broker sends anything any more, or if it takes longer than all its
   * requests together may take.
   */
  runStep<T>(operation: Promise<T>, step: keyof typeof MAX_REQUESTS_OF_STEP): Promise<T> {
    this.#unansweredRequest = undefined
    const deadline = {
      maxSilenceMs: this.maxSilenceMs,
      maxTotalMs: MAX_REQUESTS_OF_STEP[step] * this.#settings.requestTimeout,
      lastReceivedAt: this.#client.lastReceivedAt,
    }
    return withDeadline(operation, deadline, step, this.#clock)
  }

  /**
   * Publishes records in as many sends as they need, one after the other.
   *
   * @param target the producer, or a transaction that it has begun
   * @param compression a number that `registerWrappedCompression` has returned
   */
  async send(target: Producer | Transaction, records: readonly OutgoingRecord[], compression: number): Promise<void> {
    const { maxBatchBytes, requestTimeout: timeout } = this.#settings
    for (const topicMessages of splitIntoSends(records, maxBatchBytes, this.#partitionOf)) {
      await this.runStep(sendAndVerify(target, { topicMessages, compression, timeout }), 'a send')
    }
  }

  /** Returns a sentence on what went wrong in this session. */
  formatError(error: unknown): string {
    // kafkajs hides a timeout behind later errors, such as a coordinator that it could not find.
    if (this.#unansweredRequest === undefined || isBrokerResponse(error) || isRefusedByBroker(error)) {
      return formatKafkaError(error)
    }
    return (
      `no response to ${this.#unansweredRequest} within ${this.#settings.requestTimeout} ms; ` +
      'if the brokers are only slow, raise kafka.requestTimeout'
    )
  }

  /** Connects and reads the metadata of the topics. It fences no other producer. */
  async connect(): Promise<void> {
    const { topics, createTopics } = this.#settings
    await this.admin.connect()
    const partitions = await ensureTopics(this.admin, Object.values(topics), createTopics, this.#clock)
    for (const [topic, count] of partitions) this.#partitions.set(topic, count)
    await this.producer.connect()
  }

  /**
   * Returns the offset that a group has stored for partition 0 of a topic, -1 if there is none, and its metadata. kafkajs finds the group's
   * coordinator, but does not wait until the coordinator has moved or has loaded its partition, so the request is repeated.
   */
  fetchStoredOffset(groupId: string, topic: string): Promise<{ offset: number; metadata: string }> {
    const clock = this.#clock
    const giveUpAt = clock.monotonic() + this.maxSilenceMs
    const fetchOffset = async (): Promise<{ offset: number; metadata: string }> => {
      const topics = await this.admin.fetchOffsets({ groupId, topics: [topic] })
      const partitions = topics.find((each) => each.topic === topic)?.partitions
      const stored = partitions?.find(({ partition }) => partition === 0)
      return { offset: Number(stored?.offset ?? -1), metadata: stored?.metadata ?? '' }
    }
    return retry(fetchOffset, {
      clock,
      backoff: new Backoff({ firstMs: COORDINATOR_RETRY_MS, longestMs: COORDINATOR_RETRY_MS }),
      shouldRetry: (error) => hasErrorType(error, COORDINATOR_UNAVAILABLE) && clock.monotonic() <= giveUpAt,
    })
  }

  /** Closes the administrative connection, which only opening needs. */
  disconnectAdmin(): void {
    this.admin.disconnect().catch(() => undefined)
  }

  /** Closes the connections while there is nothing to publish. The producer keeps its identity and reconnects by itself. */
  disconnectIdle(): void {
    this.#client.disconnectIdle()
  }

  /** Ends at once: this producer sends nothing any more. */
  destroy(): void {
    this.#client.destroy()
  }

  /** Disconnects cleanly within a short time, then cuts the connections. */
  async close(): Promise<void> {
    const disconnected = Promise.all([this.producer.disconnect(), this.admin.disconnect()]).catch(() => undefined)
    await orTimeout(disconnected, DISCONNECT_TIMEOUT_MS, this.#clock)
    this.destroy()
  }
}
