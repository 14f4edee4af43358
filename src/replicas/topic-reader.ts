/**
 * Reads all partitions of topics with `read_committed`, from a time on, and continues to read. It can tell when everything has been
 * read that was committed at a given moment.
 *
 * kafkajs reads only as a member of a consumer group. This reader uses a group of its own with a single member that stores no
 * offsets, so that the broker forgets the group by itself.
 */
import type { Admin, Batch } from 'kafkajs'
import type { Clock } from '../core/clock.js'
import { ConsumerSession, type ConsumerClient } from './consumer-session.js'

/** Opens a reader. @param since milliseconds since the epoch */
export type OpenReader<Reader = TopicReader> = (
  since: number,
  onBatch: (batch: Batch) => Promise<void>,
) => Promise<Reader>

export interface TopicReaderOptions {
  readonly topics: readonly string[]
  /** Milliseconds since the epoch, compared with the timestamps of the records. */
  readonly since: number
  readonly group: string
  readonly client: ConsumerClient
  readonly clock: Clock
  /** Called with the records of one partition, in order. A batch counts as read once this has resolved. */
  readonly onBatch: (batch: Batch) => Promise<void>
}

const SESSION = { sessionTimeout: 30_000, heartbeatInterval: 3_000, maxWaitTimeInMs: 500 }
const CONCURRENT_PARTITIONS = 3

export class TopicReader {
  readonly #options: TopicReaderOptions
  readonly #session: ConsumerSession
  readonly #admin: Admin
  /** The offset up to which each partition of each topic has been read. */
  readonly #positions = new Map<string, Map<number, bigint>>()
  readonly #waiters = new Set<() => void>()

  /** @throws errors of kafkajs, if the topics cannot be read */
  static async open(options: TopicReaderOptions): Promise<TopicReader> {
    const reader = new TopicReader(options)
    try {
      await reader.whileOpen(reader.#startReading())
      return reader
    } catch (error) {
      await reader.close()
      throw error
    }
  }

  private constructor(options: TopicReaderOptions) {
    this.#options = options
    this.#session = new ConsumerSession(options.client, { groupId: options.group, ...SESSION }, options.clock)
    this.#admin = this.#session.kafka.admin()
  }

  /**
   * Resolves when everything has been read that was committed when this was called.
   * @throws errors of kafkajs, and an error if reading has ended
   */
  async readToEnd(): Promise<void> {
    const ends: { topic: string; partition: number; high: string }[] = []
    for (const topic of this.#options.topics) {
      for (const end of await this.#admin.fetchTopicOffsets(topic)) ends.push({ topic, ...end })
    }
    const isAtEnd = (): boolean =>
      ends.every(({ topic, partition, high }) => (this.#positions.get(topic)?.get(partition) ?? 0n) >= BigInt(high))
    await this.whileOpen(this.#waitUntil(isAtEnd))
  }

  /** Settles like `promise`, or rejects as soon as reading has ended. */
  whileOpen(promise: Promise<void>): Promise<void> {
    return this.#session.whileOpen(promise)
  }

  async close(): Promise<void> {
    await this.#session.close()
    this.#admin.disconnect().catch(() => undefined)
  }

  async #startReading(): Promise<void> {
    const { topics, since, onBatch } = this.#options
    const { consumer } = this.#session
    await this.#admin.connect()
    for (const topic of topics) {
      const starts = await this.#admin.fetchTopicOffsetsByTimestamp(topic, since)
      this.#positions.set(topic, new Map(starts.map(({ partition, offset }) => [partition, BigInt(offset)])))
    }
    const { GROUP_JOIN, END_BATCH_PROCESS } = consumer.events
    // Seeks before the first fetch of each membership, because the group has no stored offset to start from.
    consumer.on(GROUP_JOIN, () => {
      for (const [topic, partitions] of this.#positions) {
        for (const [partition, offset] of partitions) consumer.seek({ topic, partition, offset: String(offset) })
      }
    })
    // The event also covers offsets without a delivered record: commit markers and aborted records.
    consumer.on(END_BATCH_PROCESS, ({ payload: { topic, partition, lastOffset } }) =>
      this.#advancePosition(topic, partition, BigInt(lastOffset) + 1n),
    )
    await consumer.connect()
    // `fromBeginning` applies to partitions that were added, and to offsets that have been deleted meanwhile.
    await consumer.subscribe({ topics: [...topics], fromBeginning: true })
    await this.#session.run({
      autoCommit: false,
      partitionsConsumedConcurrently: CONCURRENT_PARTITIONS,
      eachBatch: ({ batch }) => onBatch(batch),
    })
  }

  #advancePosition(topic: string, partition: number, position: bigint): void {
    const partitions = this.#positions.get(topic)
    if (position > (partitions?.get(partition) ?? -1n)) partitions?.set(partition, position)
    for (const check of this.#waiters) check()
  }

  #waitUntil(isTrue: () => boolean): Promise<void> {
    return new Promise((resolve) => {
      const check = (): void => {
        if (!isTrue()) return
        this.#waiters.delete(check)
        resolve()
      }
      this.#waiters.add(check)
      check()
    })
  }
}
