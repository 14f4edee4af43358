/**
 * Reads the committed records of topics from any offset, without a consumer group: it needs the right Read on the topics and
 * nothing else, and leaves no trace on the cluster.
 */
import type { IHeaders } from 'kafkajs'
import type { Clock } from '../core/clock.js'
import type { Log } from '../core/log.js'
import { Backoff, retry } from '../core/retry.js'
import { registerAllCompressions } from './compression.js'
import { createKafkaClient, type KafkaClient } from './kafka-client.js'
import { hasErrorType, isRefusedByBroker, toConnectionError } from './kafka-errors.js'
import {
  type AbortedTransaction,
  createClusterForReading,
  type FetchedMessage,
  type FetchedPartition,
  READ_COMMITTED,
  READ_UNCOMMITTED,
  type ReadingCluster,
} from './kafkajs-workarounds/cluster-for-reading.js'
import { MAX_SILENT_TIMEOUTS, withDeadline } from './kafkajs-workarounds/operation-deadline.js'
import type { KafkaSettings } from './settings.js'
import { ensureTopics } from './topics.js'

export interface StoredRecord {
  readonly topic: string
  readonly partition: number
  readonly offset: number
  /** Milliseconds since the epoch. */
  readonly timestamp: number
  readonly key: Buffer | null
  readonly value: Buffer | null
  readonly headers: Readonly<Record<string, string>>
}

/** A partition and an offset in it. */
export interface PartitionOffset {
  readonly topic: string
  readonly partition: number
  readonly offset: number
}

/** The offsets from `from` to before `to` of a partition. */
export interface OffsetRange {
  readonly topic: string
  readonly partition: number
  readonly from: number
  readonly to: number
}

/** A place in every partition: its first record, its end, or its first record of a time (milliseconds since the epoch) or later. */
export type PlaceInTopics = 'earliest' | 'latest' | number

export interface CommittedRecordReaderOptions {
  readonly settings: KafkaSettings
  readonly topics: readonly string[]
  readonly clock: Clock
  readonly log: Log
  /** Called when a request has failed and is about to be repeated, with the number of attempts so far. */
  readonly onRetry: (error: unknown, attempts: number) => void
}

const EARLIEST = -2
const LATEST = -1
/** How long a broker waits for new records before it answers that there are none. */
const MAX_WAIT_MS = 1_000
/** The bytes of all partitions in one response; a partition has at least one batch in it if it is the only one with records. */
const MAX_RESPONSE_BYTES = 16 * 1024 * 1024
const MAX_PARTITION_BYTES = 1024 * 1024
const RETRY_DELAYS = { firstMs: 200, longestMs: 5_000 }
/** How often a request of `read` and `offsets` is made before its error is thrown. `follow` repeats without end. */
const MAX_ATTEMPTS = 4
/** A request is given up after this many request timeouts, even while brokers answer. */
const MAX_REQUESTS = 20
/** After this many responses without a record, a partition that ends before its range counts as read. */
const MAX_EMPTY_RESPONSES = 20
/** The content of the key of an abort marker: version 0 and type 0, each as an int16. */
const ABORT_MARKER_KEY = Buffer.from([0, 0, 0, 0])

const OFFSET_OUT_OF_RANGE: ReadonlySet<string> = new Set(['OFFSET_OUT_OF_RANGE'])

export class CommittedRecordReader {
  readonly #options: CommittedRecordReaderOptions
  readonly #client: KafkaClient
  readonly #cluster: ReadingCluster

  /** @throws ConnectorError KAFKA_UNREACHABLE, KAFKA_REFUSED, TOPIC_MISSING */
  static async open(options: CommittedRecordReaderOptions): Promise<CommittedRecordReader> {
    registerAllCompressions()
    const reader = new CommittedRecordReader(options)
    try {
      await reader.#withDeadline(reader.#connect(), 'connecting to the brokers')
      return reader
    } catch (error) {
      reader.close()
      throw toConnectionError(error, options.settings.brokers)
    }
  }

  private constructor(options: CommittedRecordReaderOptions) {
    this.#options = options
    this.#client = createKafkaClient(options.settings, options.clock, options.log)
    this.#cluster = createClusterForReading(this.#client.kafka)
  }

  /** Cuts every connection. What is being read rejects. */
  close(): void {
    this.#client.destroy()
  }

  /**
   * Returns the offset of a place in each partition. The end of a partition is where its first open transaction begins.
   * @throws ConnectorError KAFKA_UNREACHABLE, KAFKA_REFUSED
   */
  async offsets(place: PlaceInTopics): Promise<PartitionOffset[]> {
    const latest = typeof place === 'number' ? await this.offsets('latest') : []
    const timestamp = place === 'earliest' ? EARLIEST : place === 'latest' ? LATEST : place
    const found = await this.#repeat(() => this.#listOffsets(timestamp), MAX_ATTEMPTS)
    // A partition without a record of that time or later has the offset -1, and is read from its end.
    return found.map((each) => (each.offset >= 0 ? each : (latest.find(isSamePartition(each)) ?? each)))
  }

  /**
   * Returns the offset behind the last record of each partition, those of open transactions included.
   * @throws ConnectorError KAFKA_UNREACHABLE, KAFKA_REFUSED
   */
  endOffsets(): Promise<PartitionOffset[]> {
    return this.#repeat(() => this.#listOffsets(LATEST, READ_UNCOMMITTED), MAX_ATTEMPTS)
  }

  /**
   * Reads ranges of partitions. The records of a partition are in its order, and those of different partitions are merged by
   * their timestamps.
   * @throws ConnectorError KAFKA_UNREACHABLE, KAFKA_REFUSED
   */
  async *read(ranges: readonly OffsetRange[]): AsyncGenerator<StoredRecord> {
    let cursors = ranges.map((range) => new PartitionCursor(range))
    for (;;) {
      let hungry = cursors.filter((cursor) => cursor.needsRecords)
      while (hungry.length > 0) {
        await this.#fill(hungry, MAX_ATTEMPTS)
        hungry = hungry.filter((cursor) => cursor.needsRecords)
      }
      cursors = cursors.filter(({ head }) => head !== undefined)
      const [first] = cursors
      if (first === undefined) return
      const earliest = cursors.reduce(
        (least, cursor) => (cursor.head!.timestamp < least.head!.timestamp ? cursor : least),
        first,
      )
      yield earliest.take()
    }
  }

  /**
   * Reads from these offsets on, without end, also across outages. Partitions that are added later are read from their
   * beginning. The records of one response are merged as in `read`.
   * @throws ConnectorError KAFKA_REFUSED
   */
  async *follow(starts: readonly PartitionOffset[]): AsyncGenerator<StoredRecord> {
    const cursors = starts.map(({ offset, ...partition }) => new PartitionCursor({ ...partition, from: offset }))
    for (;;) {
      for (const partition of this.#partitions()) {
        if (!cursors.some(isSamePartition(partition))) cursors.push(new PartitionCursor({ ...partition, from: 0 }))
      }
      await this.#fill(cursors, Infinity)
      const records = cursors.flatMap((cursor) => cursor.takeAll())
      yield* mergeByTime(records)
    }
  }

  async #connect(): Promise<void> {
    const { topics, clock } = this.#options
    const admin = this.#client.kafka.admin()
    await admin.connect()
    await ensureTopics(admin, topics, undefined, clock)
    await this.#cluster.connect()
    await this.#cluster.addMultipleTargetTopics(topics)
  }

  #partitions(): { topic: string; partition: number; leader: number }[] {
    return this.#options.topics.flatMap((topic) =>
      this.#cluster
        .findTopicPartitionMetadata(topic)
        .map(({ partitionId, leader }) => ({ topic, partition: partitionId, leader })),
    )
  }

  async #listOffsets(timestamp: number, isolationLevel: number = READ_COMMITTED): Promise<PartitionOffset[]> {
    const requests = [...groupBy(this.#partitions(), ({ leader }) => leader)].map(async ([leader, partitions]) => {
      const broker = await this.#cluster.findBroker({ nodeId: String(leader) })
      const topics = byTopic(partitions).map(({ topic, partitions: ofTopic }) => ({
        topic,
        partitions: ofTopic.map(({ partition }) => ({ partition, timestamp })),
      }))
      const { responses } = await broker.listOffsets({ isolationLevel, topics })
      return responses.flatMap(({ topic, partitions: found }) =>
        found.map(({ partition, offset }) => ({ topic, partition, offset: Number(offset) })),
      )
    })
    return (await Promise.all(requests)).flat()
  }

  /** Requests records for the cursors once, from every broker that leads a partition of theirs. */
  async #fill(cursors: readonly PartitionCursor[], maxAttempts: number): Promise<void> {
    const fetched = await this.#repeat(async () => {
      try {
        return await this.#fetch(cursors)
      } catch (error) {
        if (!hasErrorType(error, OFFSET_OUT_OF_RANGE)) throw error
        await this.#skipDeletedRecords(cursors)
        return []
      }
    }, maxAttempts)
    const hasRecords = fetched.some(({ messages }) => messages.length > 0)
    for (const each of fetched) cursors.find(isSamePartition(each))?.add(each, hasRecords)
  }

  async #fetch(cursors: readonly PartitionCursor[]): Promise<(FetchedPartition & { topic: string })[]> {
    await this.#cluster.refreshMetadataIfNecessary()
    const partitions = this.#partitions().flatMap(({ leader, ...partition }) => {
      const cursor = cursors.find(isSamePartition(partition))
      return cursor === undefined ? [] : [{ leader, cursor, topic: partition.topic }]
    })
    if (partitions.length === 0) {
      // Every topic is gone from the metadata, which is refreshed as if a broker had said so.
      await this.#options.clock.sleep(MAX_WAIT_MS)
      await this.#cluster.refreshMetadata()
      return []
    }
    const requests = [...groupBy(partitions, ({ leader }) => leader)].map(async ([leader, ofLeader]) => {
      const broker = await this.#cluster.findBroker({ nodeId: String(leader) })
      const { responses } = await broker.fetch({
        isolationLevel: READ_COMMITTED,
        maxWaitTime: MAX_WAIT_MS,
        minBytes: 1,
        maxBytes: MAX_RESPONSE_BYTES,
        topics: byTopic(ofLeader).map(({ topic, partitions: ofTopic }) => ({
          topic,
          partitions: ofTopic.map(({ cursor }) => ({
            partition: cursor.partition,
            fetchOffset: String(cursor.position),
            maxBytes: MAX_PARTITION_BYTES,
          })),
        })),
      })
      return responses.flatMap(({ topicName, partitions: found }) =>
        found.map((partition) => ({ ...partition, topic: topicName })),
      )
    })
    return (await Promise.all(requests)).flat()
  }

  /** Retention has deleted what was to be read next, or the topic was created again. */
  async #skipDeletedRecords(cursors: readonly PartitionCursor[]): Promise<void> {
    const [earliest, latest] = [await this.#listOffsets(EARLIEST), await this.#listOffsets(LATEST)]
    for (const cursor of cursors) {
      const first = earliest.find(isSamePartition(cursor))?.offset ?? 0
      const end = latest.find(isSamePartition(cursor))?.offset ?? 0
      if (cursor.position < first || cursor.position > end) cursor.moveTo(first)
    }
  }

  /** Repeats a request that failed on new connections and with new metadata. */
  async #repeat<T>(request: () => Promise<T>, maxAttempts: number): Promise<T> {
    const { clock, settings, onRetry } = this.#options
    let isFirst = true
    const attempt = async (): Promise<T> => {
      if (!isFirst) await this.#cluster.refreshMetadata()
      isFirst = false
      return request()
    }
    try {
      return await retry(() => this.#withDeadline(attempt(), 'reading from the brokers'), {
        clock,
        backoff: new Backoff(RETRY_DELAYS),
        shouldRetry: (error, attempts) => {
          if (isRefusedByBroker(error) || attempts >= maxAttempts) return false
          this.#client.disconnectIdle()
          onRetry(error, attempts)
          return true
        },
      })
    } catch (error) {
      throw toConnectionError(error, settings.brokers)
    }
  }

  #withDeadline<T>(operation: Promise<T>, what: string): Promise<T> {
    const { settings, clock } = this.#options
    const deadline = {
      maxSilenceMs: settings.requestTimeout * MAX_SILENT_TIMEOUTS + MAX_WAIT_MS,
      maxTotalMs: settings.requestTimeout * MAX_REQUESTS,
      lastReceivedAt: this.#client.lastReceivedAt,
    }
    return withDeadline(operation, deadline, what, clock)
  }
}

/**
 * Merges the records of partitions by their timestamps. The records of one partition keep their order, although their timestamps
 * need not ascend: a record counts as at least as late as those before it in its partition.
 */
export function mergeByTime<T extends Partition & { readonly timestamp: number }>(records: readonly T[]): T[] {
  const latest = new Map<string, number>()
  const timed = records.map((record) => {
    const partition = `${record.topic} ${record.partition}`
    const time = Math.max(latest.get(partition) ?? -Infinity, record.timestamp)
    latest.set(partition, time)
    return { record, time }
  })
  return timed.sort((one, other) => one.time - other.time).map(({ record }) => record)
}

/** How far a partition has been read, and the records that have been fetched and not taken yet. */
class PartitionCursor {
  readonly topic: string
  readonly partition: number
  readonly #to: number
  #position: number
  #records: StoredRecord[] = []
  #taken = 0
  #emptyResponses = 0

  constructor({ topic, partition, from, to = Infinity }: Omit<OffsetRange, 'to'> & { readonly to?: number }) {
    this.topic = topic
    this.partition = partition
    this.#position = from
    this.#to = to
  }

  /** The offset to request next. */
  get position(): number {
    return this.#position
  }

  get head(): StoredRecord | undefined {
    return this.#records[this.#taken]
  }

  /** Whether the partition may have more records, and none is left of those that were fetched. */
  get needsRecords(): boolean {
    return this.head === undefined && this.#position < this.#to && this.#emptyResponses < MAX_EMPTY_RESPONSES
  }

  /** Takes the head. Call it only while there is one. */
  take(): StoredRecord {
    const record = this.head!
    this.#taken++
    return record
  }

  takeAll(): StoredRecord[] {
    const records = this.#records.slice(this.#taken)
    this.#taken = this.#records.length
    return records
  }

  moveTo(offset: number): void {
    this.#position = offset
  }

  /** @param hasRecords whether any partition had records in the same response */
  add({ messages, abortedTransactions, lastStableOffset }: FetchedPartition, hasRecords: boolean): void {
    const last = messages.at(-1)
    const start = this.#position
    if (last !== undefined) {
      this.#emptyResponses = 0
      this.#records = withoutAborted(messages, abortedTransactions ?? [])
        .map((message) => this.#toRecord(message))
        .filter(({ offset }) => offset >= start && offset < this.#to)
      this.#taken = 0
      this.#position = Math.max(start, Number(last.offset) + 1)
    } else if (!hasRecords) {
      this.#emptyResponses++
      // A batch whose records compaction has removed remains as an empty batch, and is passed offset by offset.
      if (start < Number(lastStableOffset)) this.#position++
    }
  }

  #toRecord({ offset, timestamp, key, value, headers = {} }: FetchedMessage): StoredRecord {
    const { topic, partition } = this
    return {
      topic,
      partition,
      offset: Number(offset),
      timestamp: Number(timestamp),
      key,
      value,
      headers: toTexts(headers),
    }
  }
}

/**
 * Leaves out control records and the records of aborted transactions. An aborted transaction reaches from its first offset to
 * the abort marker of its producer.
 */
export function withoutAborted(
  messages: readonly FetchedMessage[],
  abortedTransactions: readonly AbortedTransaction[],
): FetchedMessage[] {
  const pending = [...abortedTransactions].sort((one, other) => Number(one.firstOffset) - Number(other.firstOffset))
  const aborting = new Set<string>()
  return messages.filter(({ offset, key, isControlRecord, batchContext: { producerId, inTransaction } }) => {
    while (pending.length > 0 && Number(pending[0]!.firstOffset) <= Number(offset)) {
      aborting.add(pending.shift()!.producerId)
    }
    if (!isControlRecord) return !(inTransaction && aborting.has(producerId))
    if (key?.equals(ABORT_MARKER_KEY)) aborting.delete(producerId)
    return false
  })
}

/** A header that occurs several times keeps its last value. */
const toTexts = (headers: IHeaders): Record<string, string> =>
  Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [name, String((Array.isArray(value) ? value.at(-1) : value) ?? '')]),
  )

interface Partition {
  readonly topic: string
  readonly partition: number
}

const isSamePartition =
  ({ topic, partition }: Partition) =>
  (other: Partition): boolean =>
    other.topic === topic && other.partition === partition

function groupBy<T, K>(items: readonly T[], keyOf: (item: T) => K): Map<K, T[]> {
  const groups = new Map<K, T[]>()
  for (const item of items) groups.set(keyOf(item), [...(groups.get(keyOf(item)) ?? []), item])
  return groups
}

const byTopic = <T extends { readonly topic: string }>(
  partitions: readonly T[],
): { topic: string; partitions: T[] }[] =>
  [...groupBy(partitions, ({ topic }) => topic)].map(([topic, ofTopic]) => ({ topic, partitions: ofTopic }))
