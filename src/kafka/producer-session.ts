/**
 * One producer from its making to its end: a client of its own, a fencing transaction, the position read behind it.
 * After any failure it is destroyed, never mended (invariant 7).
 */
import type { Admin, Producer, RequestTimeoutEvent } from 'kafkajs'
import type { Logger } from 'pino'
import type { Clock } from '../core/clock.js'
import { withDeadline } from './kafkajs-workarounds/deadline.js'
import { COORDINATOR_MOVES, formatKafkaError, isBrokerResponse, isRefusal, hasErrorType } from './kafka-errors.js'
import { kafkaClient, type KafkaClient } from './kafka-client.js'
import { javaPartitioner } from './partitioner.js'
import type { Partitioner } from './send-batches.js'
import type { KafkaSettings } from './settings.js'
import { ensureTopics } from './topics.js'

export interface SessionDeps {
  readonly settings: KafkaSettings
  readonly clock: Clock
  readonly log: Logger
}

/**
 * Requests that each step may take one after the other, those for connecting to brokers that were not met before
 * included. One broker that has been met answers 14 for opening, 4, 3 for each send, and 2.
 */
const REQUESTS = { 'opening a producer': 40, 'storing the position': 12, 'a send': 12, 'a commit': 10 }
/** Request time-outs without a byte: kafkajs itself gives each request one, and one to connect. */
const SILENCE = 3

/** Milliseconds that a clean goodbye may take before the connections are cut. */
const GOODBYE = 1_000
/** Between looks at a group whose coordinator is not there yet. */
const COORDINATOR_PAUSE = 50

export class ProducerSession {
  readonly #client: KafkaClient
  readonly #clock: Clock
  readonly #settings: KafkaSettings
  readonly admin: Admin
  readonly producer: Producer
  /** How many each topic has. */
  readonly #partitions = new Map<string, number>()
  /** The last request of this step that was not answered in time. */
  #unanswered: string | undefined
  readonly partitionOf: Partitioner = javaPartitioner(this.#partitions)

  /** @param transaction absent for a producer without transactions */
  constructor({ settings, clock, log }: SessionDeps, transaction?: { readonly id: string; readonly timeout: number }) {
    this.#clock = clock
    this.#settings = settings
    this.#client = kafkaClient(settings, clock, log)
    this.admin = this.#client.kafka.admin()
    this.producer = this.#client.kafka.producer({
      ...(transaction && { transactionalId: transaction.id, transactionTimeout: transaction.timeout }),
      maxInFlightRequests: 1,
      allowAutoTopicCreation: false,
      // Chosen before; see `sends.ts`. kafkajs looks at topics every few minutes: partitions that were added are used
      // from the next transaction on.
      createPartitioner:
        () =>
        ({ topic, partitionMetadata, message }) => {
          if (this.#partitions.get(topic) !== partitionMetadata.length)
            this.#partitions.set(topic, partitionMetadata.length)
          return message.partition!
        },
      // No send is ever repeated by kafkajs. It takes sequence numbers back on an error, and where a send went to
      // several brokers it does not wait for the others before it repeats, nor does it send to a broker again that has
      // already answered, whichever partitions it leads by then: what is repeated can be dropped as a duplicate,
      // doubled under new numbers, or left out.
      retry: { retries: 0 },
    })
    const note = ({ payload }: RequestTimeoutEvent): void => void (this.#unanswered = payload.apiName)
    this.admin.on(this.admin.events.REQUEST_TIMEOUT, note)
    this.producer.on(this.producer.events.REQUEST_TIMEOUT, note)
  }

  /** Milliseconds for what a broker has to finish before it can go on, asked again and again. */
  get patience(): number {
    return SILENCE * this.#settings.requestTimeout
  }

  /**
   * One step of what a producer does, given up only when nothing is heard any more, or when it takes as long as all its
   * requests together may.
   */
  step<T>(operation: Promise<T>, what: keyof typeof REQUESTS): Promise<T> {
    this.#unanswered = undefined
    const { requestTimeout } = this.#settings
    const { heardAt } = this.#client
    const patience = { silence: this.patience, longest: REQUESTS[what] * requestTimeout, heardAt }
    return withDeadline(operation, patience, what, this.#clock)
  }

  /** For people: what went wrong here. */
  formatError(error: unknown): string {
    // kafkajs hides a time-out: behind a coordinator that it could not find, a broker that is not connected.
    if (this.#unanswered === undefined || isBrokerResponse(error) || isRefusal(error)) return formatKafkaError(error)
    return (
      `no answer to ${this.#unanswered} within ${this.#settings.requestTimeout} ms (kafka.requestTimeout); ` +
      'where brokers are only slow, raise that'
    )
  }

  /** Connects and looks at the topics. Fences nobody. */
  async connect(): Promise<void> {
    await this.admin.connect()
    const partitions = await ensureTopics(this.admin, this.#settings, this.#clock)
    for (const [topic, count] of partitions) this.#partitions.set(topic, count)
    await this.producer.connect()
  }

  /** The offset that a group has stored for partition 0 of a topic; -1 for none. */
  async storedOffset(groupId: string, topic: string): Promise<number> {
    const giveUpAt = this.#clock.monotonic() + this.patience
    for (;;) {
      try {
        const answer = await this.admin.fetchOffsets({ groupId, topics: [topic] })
        const stored = answer.find((each) => each.topic === topic)?.partitions.find(({ partition }) => partition === 0)
        return stored === undefined ? -1 : Number(stored.offset)
      } catch (error) {
        // kafkajs looks the group's coordinator up, but does not wait until it has moved or has read its partition.
        if (!hasErrorType(error, COORDINATOR_MOVES) || this.#clock.monotonic() > giveUpAt) throw error
        await this.#clock.sleep(COORDINATOR_PAUSE)
      }
    }
  }

  /** The administrative connection is needed for opening only. */
  leaveAdmin(): void {
    this.admin.disconnect().catch(() => undefined)
  }

  /**
   * Lets go of the connections while there is nothing to publish, and nothing else: the producer stays the one that it
   * is. kafkajs runs a timer every millisecond for each connection that has ever been used.
   */
  rest(): void {
    this.#client.rest()
  }

  /** Ends at once: nothing of this producer is sent any more. */
  destroy(): void {
    this.#client.destroy()
  }

  /** Ends politely, for a moment. */
  async close(): Promise<void> {
    const goodbye = Promise.all([this.producer.disconnect(), this.admin.disconnect()]).catch(() => undefined)
    const patience = new AbortController()
    await Promise.race([goodbye, this.#clock.sleep(GOODBYE, patience.signal)])
    patience.abort()
    this.destroy()
  }
}
