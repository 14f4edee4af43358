/**
 * One kafkajs consumer from its making to its end, with a client of its own.
 *
 * kafkajs would mend a consumer that crashed by itself, from a timer of its own whose failures nobody gets, and one that
 * waits for ever is not noticed at all. So it is told not to: a crash, or no heartbeat for too long, ends the session,
 * and whoever opened it opens another.
 */
import type { Consumer, ConsumerConfig, ConsumerRunConfig, Kafka } from 'kafkajs'
import type { Clock } from '../core/clock.js'
import type { Client } from './deps.js'

export interface SessionOptions extends ConsumerConfig {
  readonly sessionTimeout: number
}

/** Milliseconds for a goodbye, so that the others need not wait for the session time-out. */
const GOODBYE = 5_000
/** Milliseconds beyond all that a member may have to wait for. */
const SLACK = 10_000

export class ConsumerSession {
  readonly kafka: Kafka
  readonly consumer: Consumer
  readonly #client: Client
  readonly #clock: Clock
  readonly #longest: number
  readonly #closed = new AbortController()
  readonly #losers = new Set<(error: unknown) => void>()
  #over: { readonly error: unknown } | undefined
  #running: Promise<void> = Promise.resolve()
  #heardAt: number

  /** @param heard called with the time, in ms since the epoch, at which a heartbeat was sent that was answered */
  constructor(
    client: Client,
    options: SessionOptions,
    clock: Clock,
    heard: (sentAt: number) => void = () => undefined,
  ) {
    this.#client = client
    this.#clock = clock
    this.#heardAt = clock.monotonic()
    this.kafka = client.kafka
    // Joining may wait for every member that has gone silent.
    this.#longest = 2 * options.sessionTimeout + SLACK
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
    this.#listen(heard)
    void this.#watch()
  }

  run(config: ConsumerRunConfig): Promise<void> {
    this.#running = this.consumer.run(config)
    return this.#running
  }

  /** The outcome of this; rejects as soon as the session is over. */
  async during<T>(promise: Promise<T>): Promise<T> {
    promise.catch(() => undefined)
    let lose: (error: unknown) => void = () => undefined
    const lost = new Promise<never>((_, reject) => (lose = reject))
    if (this.#over) lose(this.#over.error)
    this.#losers.add(lose)
    try {
      return await Promise.race([lost, promise])
    } finally {
      this.#losers.delete(lose)
    }
  }

  /** Leaves the group, if the broker lets it in a moment; then nothing of it is left. */
  async close(): Promise<void> {
    this.#closed.abort()
    const patience = new AbortController()
    // A member that is still joining could not leave: the others would wait for it.
    const goodbye = this.#running.then(() => this.consumer.disconnect()).catch(() => undefined)
    await Promise.race([goodbye, this.#clock.sleep(GOODBYE, patience.signal)])
    patience.abort()
    this.#client.destroy()
  }

  #lose(error: unknown): void {
    this.#over ??= { error }
    for (const lose of this.#losers) lose(error)
  }

  #listen(heard: (sentAt: number) => void): void {
    const { consumer } = this
    const { CRASH, STOP, REQUEST, HEARTBEAT, GROUP_JOIN } = consumer.events
    let sentAt = 0
    const alive = (): void => {
      this.#heardAt = this.#clock.monotonic()
      heard(sentAt)
    }
    consumer.on(REQUEST, ({ payload }) => {
      if (payload.apiName === 'Heartbeat' || payload.apiName === 'SyncGroup') sentAt = payload.sentAt
    })
    consumer.on(HEARTBEAT, alive)
    consumer.on(GROUP_JOIN, alive)
    consumer.on(CRASH, ({ payload }) => this.#lose(payload.error))
    // Before a crash is told, it stops: the reason follows.
    const stopped = (): void => this.#lose(new Error('the consumer has stopped'))
    consumer.on(STOP, () => void this.#clock.sleep(GOODBYE, this.#closed.signal).then(stopped))
  }

  async #watch(): Promise<void> {
    const { signal } = this.#closed
    while (!signal.aborted) {
      const left = this.#heardAt + this.#longest - this.#clock.monotonic()
      if (left <= 0) return this.#lose(new Error(`the group has not answered for ${this.#longest} ms`))
      await this.#clock.sleep(left, signal)
    }
  }
}
