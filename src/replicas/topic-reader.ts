/**
 * Reads topics from a time on, `read_committed`, all partitions, and goes on; and says when everything is read that was
 * there at a moment.
 *
 * kafkajs reads only as a member of a group. This one has a name of its own and a single member, and stores nothing, so
 * that the broker forgets it by itself.
 */
import type { Admin, Batch } from 'kafkajs'
import type { Clock } from '../core/clock.js'
import { ConsumerSession } from './consumer-session.js'
import type { Client } from './deps.js'

export interface TopicReaderOptions {
  readonly topics: readonly string[]
  /** Ms since the epoch, by the records' time stamps. */
  readonly since: number
  readonly group: string
}

export interface TopicReaderDeps {
  readonly client: Client
  readonly clock: Clock
  /** Called with what was read, by partition in order. A batch counts as read once this has resolved. */
  readonly take: (batch: Batch) => Promise<void>
}

const SESSION = { sessionTimeout: 30_000, heartbeatInterval: 3_000, maxWaitTimeInMs: 500 }
const CONCURRENTLY = 3

export class TopicReader {
  readonly #options: TopicReaderOptions
  readonly #session: ConsumerSession
  readonly #admin: Admin
  readonly #take: TopicReaderDeps['take']
  /** By topic, by partition: the offset up to which everything is read. */
  readonly #positions = new Map<string, Map<number, bigint>>()
  readonly #waiting = new Set<() => void>()

  /** @throws what kafkajs throws, where the topics can't be read */
  static async open(options: TopicReaderOptions, deps: TopicReaderDeps): Promise<TopicReader> {
    const reader = new TopicReader(options, deps)
    try {
      await reader.during(reader.#begin())
      return reader
    } catch (error) {
      await reader.close()
      throw error
    }
  }

  private constructor(options: TopicReaderOptions, { client, clock, take }: TopicReaderDeps) {
    this.#options = options
    this.#take = take
    this.#session = new ConsumerSession(client, { groupId: options.group, ...SESSION }, clock)
    this.#admin = this.#session.kafka.admin()
  }

  /**
   * Resolves when everything is read that was committed when this was called.
   * @throws what kafkajs throws, and when reading is over
   */
  async reach(): Promise<void> {
    const ends: { topic: string; partition: number; high: string }[] = []
    for (const topic of this.#options.topics) {
      for (const end of await this.#admin.fetchTopicOffsets(topic)) ends.push({ topic, ...end })
    }
    const reached = (): boolean =>
      ends.every(({ topic, partition, high }) => (this.#positions.get(topic)?.get(partition) ?? 0n) >= BigInt(high))
    await this.during(this.#until(reached))
  }

  /** The outcome of this; rejects as soon as reading is over. */
  during<T>(promise: Promise<T>): Promise<T> {
    return this.#session.during(promise)
  }

  async close(): Promise<void> {
    await this.#session.close()
    this.#admin.disconnect().catch(() => undefined)
  }

  async #begin(): Promise<void> {
    const { topics, since } = this.#options
    const { consumer } = this.#session
    await this.#admin.connect()
    for (const topic of topics) {
      const starts = await this.#admin.fetchTopicOffsetsByTimestamp(topic, since)
      this.#positions.set(topic, new Map(starts.map(({ partition, offset }) => [partition, BigInt(offset)])))
    }
    const { GROUP_JOIN, END_BATCH_PROCESS } = consumer.events
    // Before the first fetch of a membership: a group that stores nothing begins where it is told to, or anywhere.
    consumer.on(GROUP_JOIN, () => {
      for (const [topic, partitions] of this.#positions) {
        for (const [partition, offset] of partitions) consumer.seek({ topic, partition, offset: String(offset) })
      }
    })
    // Also of what nobody is given: the marks at the end of transactions, and what was aborted.
    consumer.on(END_BATCH_PROCESS, ({ payload: { topic, partition, lastOffset } }) =>
      this.#passed(topic, partition, BigInt(lastOffset) + 1n),
    )
    await consumer.connect()
    // Where nothing was sought, in a partition that was added, and where what was sought has been deleted since.
    await consumer.subscribe({ topics: [...topics], fromBeginning: true })
    await this.#session.run({
      autoCommit: false,
      partitionsConsumedConcurrently: CONCURRENTLY,
      eachBatch: ({ batch }) => this.#take(batch),
    })
  }

  #passed(topic: string, partition: number, position: bigint): void {
    const partitions = this.#positions.get(topic)
    if (position > (partitions?.get(partition) ?? -1n)) partitions?.set(partition, position)
    for (const look of this.#waiting) look()
  }

  #until(isTrue: () => boolean): Promise<void> {
    return new Promise((resolve) => {
      const look = (): void => {
        if (!isTrue()) return
        this.#waiting.delete(look)
        resolve()
      }
      this.#waiting.add(look)
      look()
    })
  }
}
