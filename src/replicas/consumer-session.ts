/**
 * One kafkajs consumer from its creation to its end, with its own client.
 *
 * kafkajs 2.2.4 restarts a crashed consumer from a timer whose failures reach nobody, and does not notice a consumer that waits for
 * ever. Restarts are therefore disabled: a crash, or the absence of heartbeats for too long, ends the session, and the owner of
 * the session opens another one.
 */
import { setMaxListeners } from 'node:events'
import type { Consumer, ConsumerConfig, ConsumerRunConfig, Kafka } from 'kafkajs'
import { orAborted, orTimeout } from '../core/abort.js'
import type { Clock } from '../core/clock.js'
import type { KafkaClient } from '../kafka/kafka-client.js'

/** The client that a session owns and destroys. */
export type ConsumerClient = Pick<KafkaClient, 'kafka' | 'destroy'>

export interface ConsumerSessionOptions extends ConsumerConfig {
  /** Milliseconds. */
  readonly sessionTimeout: number
}

/** How long leaving the group may take. If a member does not leave, the others wait for its session timeout. */
const LEAVE_TIMEOUT_MS = 5_000
/** Added to the longest rebalance before the group counts as silent. */
const REBALANCE_SLACK_MS = 10_000

export class ConsumerSession {
  readonly kafka: Kafka
  readonly consumer: Consumer
  readonly #client: ConsumerClient
  readonly #clock: Clock
  readonly #maxSilenceMs: number
  readonly #closed = new AbortController()
  /** Aborted with the error that ended the session. */
  readonly #ended = new AbortController()
  #running: Promise<void> = Promise.resolve()
  #lastHeartbeatAt: number

  /** @param onHeartbeat called with the time, in milliseconds since the epoch, at which an answered heartbeat was sent */
  constructor(
    client: ConsumerClient,
    options: ConsumerSessionOptions,
    clock: Clock,
    onHeartbeat: (sentAt: number) => void = () => undefined,
  ) {
    this.#client = client
    this.#clock = clock
    this.#lastHeartbeatAt = clock.monotonic()
    this.kafka = client.kafka
    // A rebalance may wait for every member that has become silent.
    this.#maxSilenceMs = 2 * options.sessionTimeout + REBALANCE_SLACK_MS
    this.consumer = client.kafka.consumer({
      rebalanceTimeout: options.sessionTimeout,
      allowAutoTopicCreation: false,
      retry: {
        initialRetryTime: 50,
        multiplier: 2,
        maxRetryTime: 1_000,
        retries: 8,
        restartOnFailure: async () => false,
      },
      ...options,
    })
    // Every reconciled source may wait for the session at the same time, and Node.js warns from 11 listeners on.
    setMaxListeners(0, this.#ended.signal)
    this.#observeConsumer(onHeartbeat)
    void this.#watchHeartbeats()
  }

  run(config: ConsumerRunConfig): Promise<void> {
    this.#running = this.consumer.run(config)
    return this.#running
  }

  /** Settles like `promise`, or rejects as soon as the session has ended. */
  async whileOpen(promise: Promise<void>): Promise<void> {
    const { signal } = this.#ended
    if ((await orAborted(promise, signal)) === 'aborted') throw signal.reason
  }

  /** Leaves the group, if the broker answers in time, and destroys the client. */
  async close(): Promise<void> {
    this.#closed.abort()
    // A member that is still joining cannot leave, and the others would wait for it, so joining is awaited first.
    const left = this.#running.then(() => this.consumer.disconnect())
    await orTimeout(
      left.catch(() => undefined),
      LEAVE_TIMEOUT_MS,
      this.#clock,
    )
    this.#client.destroy()
  }

  #observeConsumer(onHeartbeat: (sentAt: number) => void): void {
    const { consumer } = this
    const { CRASH, STOP, REQUEST, HEARTBEAT, GROUP_JOIN } = consumer.events
    let sentAt = 0
    const onAnswer = (): void => {
      this.#lastHeartbeatAt = this.#clock.monotonic()
      onHeartbeat(sentAt)
    }
    consumer.on(REQUEST, ({ payload }) => {
      if (payload.apiName === 'Heartbeat' || payload.apiName === 'SyncGroup') sentAt = payload.sentAt
    })
    consumer.on(HEARTBEAT, onAnswer)
    consumer.on(GROUP_JOIN, onAnswer)
    consumer.on(CRASH, ({ payload }) => this.#ended.abort(payload.error))
    // kafkajs emits STOP before CRASH. The delay lets the error of the crash, which tells the reason, come first.
    const onStopped = (): void => this.#ended.abort(new Error('the consumer has stopped'))
    consumer.on(STOP, () => void this.#clock.sleep(LEAVE_TIMEOUT_MS, this.#closed.signal).then(onStopped))
  }

  async #watchHeartbeats(): Promise<void> {
    const { signal } = this.#closed
    while (!signal.aborted) {
      const remainingMs = this.#lastHeartbeatAt + this.#maxSilenceMs - this.#clock.monotonic()
      if (remainingMs <= 0) {
        return this.#ended.abort(new Error(`the group has not answered for ${this.#maxSilenceMs} ms`))
      }
      await this.#clock.sleep(remainingMs, signal)
    }
  }
}
