/**
 * The connections of one producer, from its creation to its end. After any failure it is destroyed and never repaired
 * (invariant 7).
 */
import type { Admin, RequestTimeoutEvent } from 'kafkajs'
import { orTimeout } from '../core/abort.js'
import type { Clock } from '../core/clock.js'
import type { Log } from '../core/log.js'
import { type RecordCompressor } from './compression.js'
import { createKafkaClient, type KafkaClient } from './kafka-client.js'
import { formatKafkaError, isBrokerResponse, isRefusedByBroker } from './kafka-errors.js'
import { KafkajsBrokers } from './kafkajs-workarounds/kafkajs-cluster.js'
import { MAX_SILENT_TIMEOUTS, withDeadline } from './kafkajs-workarounds/operation-deadline.js'
import { createJavaPartitioner } from './partitioner.js'
import { RecordSender } from './record-sender.js'
import type { RecordTimestamps } from './record-timestamps.js'
import { RequestSender } from './request-sender.js'
import { requiredTopics, type KafkaSettings } from './settings.js'
import type { Throttle } from './throttle.js'
import { ensureTopics, MissingTopicsError } from './topics.js'

export interface ProducerSessionDeps {
  readonly settings: KafkaSettings
  readonly clock: Clock
  readonly log: Log
  readonly throttle: Throttle
  readonly timestamps: RecordTimestamps
  readonly compressor: RecordCompressor
}

/**
 * The most requests that connecting to the cluster sends one after the other, including those for topics, for TLS and SASL. With
 * one broker that is known it is about 12.
 */
const MAX_REQUESTS_TO_OPEN = 40
/** The most requests that connecting to one broker takes. */
const MAX_REQUESTS_TO_CONNECT = 8

/** How long a clean disconnect may take before the connections are cut. */
const DISCONNECT_TIMEOUT_MS = 1_000

export class ProducerSession {
  readonly #client: KafkaClient
  readonly #clock: Clock
  readonly #settings: KafkaSettings
  readonly #admin: Admin
  readonly #brokers: KafkajsBrokers
  readonly #closed = new AbortController()
  /** The number of partitions of each topic. */
  readonly #partitions = new Map<string, number>()
  /** The last request of kafkajs itself that was not answered in time. */
  #unansweredRequest: string | undefined
  readonly requests: RequestSender
  readonly records: RecordSender

  constructor({ settings, clock, log, throttle, timestamps, compressor }: ProducerSessionDeps) {
    this.#clock = clock
    this.#settings = settings
    this.#client = createKafkaClient(settings, clock, log)
    this.#admin = this.#client.kafka.admin()
    this.#admin.on(this.#admin.events.REQUEST_TIMEOUT, ({ payload }: RequestTimeoutEvent) => {
      this.#unansweredRequest = payload.apiName
    })
    const { requestTimeout, maxBatchBytes } = settings
    const { signal } = this.#closed
    const times = { requestTimeoutMs: requestTimeout, connectTimeoutMs: MAX_REQUESTS_TO_CONNECT * requestTimeout }
    const brokers = new KafkajsBrokers(this.#client.kafka, times, clock)
    this.#brokers = brokers
    this.requests = new RequestSender({ brokers, throttle, clock, signal }, requestTimeout)
    this.records = new RecordSender({
      brokers,
      requests: this.requests,
      partitionOf: createJavaPartitioner(this.#partitions),
      compressor,
      timestamps,
      maxBatchBytes,
      requestTimeoutMs: requestTimeout,
      clock,
      signal,
    })
  }

  /** Connects, creates missing topics if that is configured, and reads the metadata. It fences no other producer. */
  async connect(): Promise<void> {
    const { requestTimeout } = this.#settings
    const deadline = {
      maxSilenceMs: MAX_SILENT_TIMEOUTS * requestTimeout,
      maxTotalMs: MAX_REQUESTS_TO_OPEN * requestTimeout,
      lastReceivedAt: this.#client.lastReceivedAt,
    }
    await withDeadline(this.#connect(), deadline, 'connecting to Kafka', this.#clock)
    // Only opening needs the administrative connection.
    this.#admin.disconnect().catch(() => undefined)
  }

  /** Takes new partitions into use. Called between transactions, so that the records of a key stay in order (invariant 4). */
  async refreshPartitions(): Promise<void> {
    await this.#brokers.refreshMetadataIfOld()
    this.#countPartitions()
  }

  /** Returns a sentence on what went wrong in this session. */
  formatError(error: unknown): string {
    // kafkajs hides a timeout of its own requests behind later errors, such as a broker that it could not find.
    if (this.#unansweredRequest === undefined || isBrokerResponse(error) || isRefusedByBroker(error)) {
      return formatKafkaError(error)
    }
    return (
      `no response to ${this.#unansweredRequest} within ${this.#settings.requestTimeout} ms; ` +
      'if the brokers are only slow, raise kafka.requestTimeout'
    )
  }

  /** Closes the connections while there is nothing to publish. They are opened again by the next request. */
  disconnectIdle(): void {
    this.#client.disconnectIdle()
  }

  /** Ends at once: this producer sends nothing any more. */
  destroy(): void {
    this.#closed.abort()
    this.#client.destroy()
  }

  /** Disconnects cleanly within a short time, then cuts the connections. */
  async close(): Promise<void> {
    this.#closed.abort()
    const disconnected = Promise.all([this.#brokers.disconnect(), this.#admin.disconnect()]).catch(() => undefined)
    await orTimeout(disconnected, DISCONNECT_TIMEOUT_MS, this.#clock)
    this.destroy()
  }

  async #connect(): Promise<void> {
    const { createTopics } = this.#settings
    const names = requiredTopics(this.#settings)
    await this.#admin.connect()
    await ensureTopics(this.#admin, names, createTopics, this.#clock)
    const optional = (await this.#hasReplaysTopic()) ? [this.#settings.topics.deadLetterReplays] : []
    await this.#brokers.connect([...names, ...optional])
    this.#countPartitions()
  }

  /** Looks for the topic of the marks of replays. Without it, and without the right to create it, everything else is published. */
  async #hasReplaysTopic(): Promise<boolean> {
    const { topics, createTopics } = this.#settings
    const creation = createTopics && { ...createTopics, isCompacted: true }
    try {
      await ensureTopics(this.#admin, [topics.deadLetterReplays], creation, this.#clock)
      return true
    } catch (error) {
      if (error instanceof MissingTopicsError || isRefusedByBroker(error)) return false
      throw error
    }
  }

  #countPartitions(): void {
    for (const topic of Object.values(this.#settings.topics)) {
      const count = this.#brokers.partitionsOf(topic).length
      if (count > 0) this.#partitions.set(topic, count)
    }
  }
}
