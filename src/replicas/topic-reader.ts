/**
 * Reads all partitions of topics with `read_committed` and continues to read. It can tell when everything has been read that was
 * committed at a given moment.
 *
 * Reading starts in each partition behind what was read before, and not before the first record of a time. The timestamp of a
 * record is the time at which its item was received, so that timestamps are not in order: an item that waited for Kafka is
 * published behind items that were received later. The broker answers with the first record of that time *or later*, so that
 * every record of the time or later lies behind it. A time can therefore tell which items matter, but not how far the topics
 * have been read. Only offsets tell that.
 *
 * kafkajs reads only as a member of a consumer group. This reader uses a group of its own with a single member that stores no
 * offsets, so that the broker forgets the group by itself.
 */
import type { Admin, Batch } from 'kafkajs'
import { orTimeout } from '../core/abort.js'
import type { Clock } from '../core/clock.js'
import type { TopicProgress } from '../journal/journal.js'
import { TopicIds } from '../kafka/topic-ids.js'
import { ConsumerSession, type ConsumerClient } from './consumer-session.js'

/** Where reading starts. */
export interface ReadingStart {
  /** Milliseconds since the epoch. Records of items that were received earlier need not be read. */
  readonly since: number
  /** What was read before. Of several, only what each covers counts as read; without any, nothing does. */
  readonly readBefore: readonly TopicProgress[]
}

export type OpenReader<Reader = TopicReader> = (
  start: ReadingStart,
  onBatch: (batch: Batch) => Promise<void>,
) => Promise<Reader>

export interface TopicReaderOptions {
  readonly topics: readonly string[]
  readonly start: ReadingStart
  readonly group: string
  readonly client: ConsumerClient
  readonly clock: Clock
  /** Called with the records of one partition, in order. A batch counts as read once this has resolved. */
  readonly onBatch: (batch: Batch) => Promise<void>
}

const SESSION = { sessionTimeout: 30_000, heartbeatInterval: 3_000, maxWaitTimeInMs: 500 }
const CONCURRENT_PARTITIONS = 3
/** How often the topics are checked while the end is not reached. A consumer does not notice that a topic was created again. */
const CHECK_TOPICS_EVERY_MS = 30_000

export class TopicReader {
  readonly #options: TopicReaderOptions
  readonly #session: ConsumerSession
  readonly #admin: Admin
  readonly #topicIds: TopicIds
  /** The ids of the topics when reading started. */
  #idsAtStart: ReadonlyMap<string, string | null> = new Map()
  /** The offset up to which each partition of each topic has been read. */
  readonly #positions = new Map<string, Map<number, number>>()
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
    this.#topicIds = new TopicIds(this.#session.kafka, options.clock)
  }

  /**
   * Resolves when everything has been read that was committed when this was called.
   * @throws errors of kafkajs, and an error if reading has ended or a topic was created again
   */
  async readToEnd(): Promise<void> {
    const { topics, clock } = this.#options
    const before = this.progress()
    const ends: { topic: string; partition: number; high: number }[] = []
    for (const topic of topics) {
      for (const { partition, high } of await this.#admin.fetchTopicOffsets(topic)) {
        const end = { topic, partition, high: Number(high) }
        if ((before[topic]?.offsets[partition] ?? 0) > end.high) throw endedEarly(end)
        ends.push(end)
      }
    }
    // A topic that is created again from now on may hold the ends above, but none of its records was committed when this began.
    await this.#assertSameTopics()
    const reachedEnd = this.#waitUntil(() =>
      ends.every(({ topic, partition, high }) => this.#positionOf(topic, partition) >= high),
    )
    while ((await orTimeout(this.whileOpen(reachedEnd), CHECK_TOPICS_EVERY_MS, clock)) === 'timeout') {
      await this.#assertSameTopics()
    }
  }

  /** How far the topics have been read. */
  progress(): TopicProgress {
    return Object.fromEntries(
      [...this.#positions].map(([topic, positions]) => {
        const partitions = Math.max(0, ...[...positions.keys()].map((partition) => partition + 1))
        const offsets = Array.from({ length: partitions }, (_, partition) => positions.get(partition) ?? 0)
        return [topic, { topicId: this.#idsAtStart.get(topic) ?? null, offsets }]
      }),
    )
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
    const { topics, onBatch } = this.#options
    const { consumer } = this.#session
    await this.#admin.connect()
    this.#idsAtStart = await this.#topicIds.fetch(topics)
    for (const topic of topics) this.#positions.set(topic, await this.#startsOf(topic))
    // The offsets are those of the topics that had these ids.
    await this.#assertSameTopics()
    const { GROUP_JOIN, END_BATCH_PROCESS } = consumer.events
    // Seeks before the first fetch of each membership, because the group has no stored offset to start from.
    consumer.on(GROUP_JOIN, () => {
      for (const [topic, partitions] of this.#positions) {
        for (const [partition, offset] of partitions) consumer.seek({ topic, partition, offset: String(offset) })
      }
    })
    // The event also covers offsets without a delivered record: commit markers and aborted records.
    consumer.on(END_BATCH_PROCESS, ({ payload: { topic, partition, lastOffset } }) =>
      this.#advancePosition(topic, partition, Number(lastOffset) + 1),
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

  /** Returns the offset at which reading starts, for each partition of a topic. */
  async #startsOf(topic: string): Promise<Map<number, number>> {
    const { since, readBefore } = this.#options.start
    const topicId = this.#idsAtStart.get(topic) ?? null
    const ends = new Map(
      (await this.#admin.fetchTopicOffsets(topic)).map(({ partition, high }) => [partition, Number(high)]),
    )
    const starts = new Map<number, number>()
    for (const { partition, offset } of await this.#admin.fetchTopicOffsetsByTimestamp(topic, since)) {
      const readUpTo = readBefore.map((progress) => {
        const known = progress[topic]
        const position = known?.topicId === topicId ? (known.offsets[partition] ?? 0) : 0
        // Behind the end there is another topic than the one that was read, or the log has lost its end.
        return position <= (ends.get(partition) ?? 0) ? position : 0
      })
      const lowest = readUpTo.length > 0 ? Math.min(...readUpTo) : 0
      starts.set(partition, Math.max(Number(offset), lowest))
    }
    return starts
  }

  /** @throws Error if a topic was deleted or created again since reading started, so that its offsets mean something else */
  async #assertSameTopics(): Promise<void> {
    const ids = await this.#topicIds.fetch(this.#options.topics)
    for (const [topic, id] of this.#idsAtStart) {
      if (ids.get(topic) !== id) throw new Error(`topic ${topic} was deleted or created again while it was read`)
    }
  }

  #positionOf(topic: string, partition: number): number {
    return this.#positions.get(topic)?.get(partition) ?? 0
  }

  #advancePosition(topic: string, partition: number, position: number): void {
    const partitions = this.#positions.get(topic)
    if (position > this.#positionOf(topic, partition)) partitions?.set(partition, position)
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

const endedEarly = ({ topic, partition, high }: { topic: string; partition: number; high: number }): Error =>
  new Error(
    `partition ${partition} of topic ${topic} ends at offset ${high}, before what was read of it: the topic was created again, or ` +
      'its log has lost its end',
  )
