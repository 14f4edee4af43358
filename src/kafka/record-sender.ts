/**
 * Sends records with Produce requests: splits them into record batches that the broker accepts, and the batches into requests,
 * one at a time for each partition (invariant 7) and to several leaders side by side where that is faster.
 *
 * The broker's limit (`max.message.bytes`) holds for batches, so a batch never exceeds `kafka.maxBatchBytes`. A request holds one
 * batch of each of its partitions, up to a bounded sum. Records of one partition keep their order, because the next batch of a
 * partition is sent only when the one before is acknowledged (invariant 4).
 */
import type { Clock } from '../core/clock.js'
import { Backoff } from '../core/retry.js'
import { BrokerError } from './broker-error.js'
import type { RecordCompressor } from './compression.js'
import { isRefusedByBroker } from './kafka-errors.js'
import type { BrokerConnection, KafkajsBrokers } from './kafkajs-workarounds/kafkajs-cluster.js'
import type { Partitioner } from './partitioner.js'
import { produceRequest, type PartitionBatch, type ProducedPartition } from './protocol/produce.js'
import type { ProducerIdentity, TopicPartitions } from './protocol/requests.js'
import type { OutgoingRecord } from './publisher.js'
import { RecordBatchWriter } from './record-batch.js'
import type { RecordTimestamps } from './record-timestamps.js'
import { PATIENCE_TIMEOUTS, type RequestSender } from './request-sender.js'

export interface RecordSenderDeps {
  readonly brokers: Pick<KafkajsBrokers, 'find' | 'partitionsOf' | 'refreshMetadata'>
  readonly requests: Pick<RequestSender, 'sendOnce'>
  readonly partitionOf: Partitioner
  readonly compressor: RecordCompressor
  readonly timestamps: Pick<RecordTimestamps, 'timestampOf'>
  readonly maxBatchBytes: number
  readonly requestTimeoutMs: number
  readonly clock: Clock
  readonly signal: AbortSignal
}

/** On whose behalf records are sent. */
export interface SendContext {
  readonly identity: ProducerIdentity
  /** Null for a producer without transactions. */
  readonly transactionalId: string | null
  readonly level: number
  /** The monotonic time after which the records are worth nothing any more. */
  readonly latest: number
}

/** Small enough to cross a slow line within the request timeout. */
const MAX_REQUEST_BYTES = 1024 * 1024
/** Records that are written before callbacks are served again. */
const RECORDS_PER_TURN = 1_000
/** Buffers of batches that are kept for the next transaction. */
const MAX_KEPT_BYTES = 8 * 1024 * 1024
const REPEAT_DELAYS = { firstMs: 20, longestMs: 500 }
const SEQUENCE_NUMBERS = 2 ** 31
const NO_SEQUENCE = -1
const NO_COMPRESSION = 0
const LEADER_NOT_AVAILABLE = 5

interface PendingBatch {
  readonly writer: RecordBatchWriter
  /** The bytes on the wire, once the batch has its sequence number. A repetition sends the same bytes. */
  sealed: PartitionBatch | undefined
}

/** What is still to be sent to one partition. */
export interface PartitionQueue {
  readonly topic: string
  readonly partition: number
  readonly batches: PendingBatch[]
  /** Whether a batch of this queue was acknowledged, so that the partition is part of the transaction. */
  isInTransaction: boolean
}

export class RecordSender {
  readonly #deps: RecordSenderDeps
  readonly #writers: RecordBatchWriter[] = []
  /** The sequence number of the next record, by topic and partition. */
  readonly #sequences = new Map<string, number>()

  constructor(deps: RecordSenderDeps) {
    this.#deps = deps
  }

  /** Starts the sequence numbers at 0, for a new producer id or epoch. */
  resetSequences(): void {
    this.#sequences.clear()
  }

  /** Writes the records into batches, in their order. */
  async writeBatches(records: readonly OutgoingRecord[]): Promise<PartitionQueue[]> {
    const { partitionOf, maxBatchBytes, clock, timestamps } = this.#deps
    /** By topic, and then by the number of the partition. */
    const queues = new Map<string, PartitionQueue[]>()
    const now = clock.now()
    let written = 0
    for (const record of records) {
      const timestamp = timestamps.timestampOf(record, now)
      const queue = queueOf(queues, record.topic, partitionOf(record.topic, record.key))
      const last = queue.batches.at(-1)?.writer ?? this.#addBatch(queue)
      last.append(record, timestamp)
      if (last.length > maxBatchBytes && last.count > 1) {
        last.removeLast()
        this.#addBatch(queue).append(record, timestamp)
      }
      written++
      if (written % RECORDS_PER_TURN === 0) await new Promise(setImmediate)
    }
    return [...queues.values()].flat()
  }

  /**
   * Resolves when every batch is acknowledged by all in-sync replicas.
   * @throws BrokerError, NoResponseError, ThrottledTooLongError, errors of kafkajs: some batches may be in the log
   */
  async send(queues: readonly PartitionQueue[], context: SendContext): Promise<void> {
    const { brokers, clock, requestTimeoutMs, signal } = this.#deps
    const delays = new Backoff(REPEAT_DELAYS)
    let giveUpAt = clock.monotonic() + PATIENCE_TIMEOUTS * requestTimeoutMs
    let waiting = queues.filter(({ batches }) => batches.length > 0)
    while (waiting.length > 0) {
      const failures = await this.#sendRound(waiting, context)
      waiting = waiting.filter(({ batches }) => batches.length > 0)
      const [failure] = failures
      if (failure === undefined) {
        delays.reset()
        giveUpAt = clock.monotonic() + PATIENCE_TIMEOUTS * requestTimeoutMs
        continue
      }
      if (clock.monotonic() >= Math.min(giveUpAt, context.latest) || signal.aborted) throw failure
      await clock.sleep(delays.next(), signal)
      if (failures.some(({ reaction }) => reaction === 'find-leader')) {
        // Without new metadata the same leader is asked again, which is safe.
        await brokers.refreshMetadata().catch(() => undefined)
      }
    }
  }

  /**
   * Sends the next batch of each partition, as far as they fit into one request for each leader.
   * @returns the failures after which the same bytes may be sent again
   */
  async #sendRound(queues: readonly PartitionQueue[], context: SendContext): Promise<BrokerError[]> {
    const failures: BrokerError[] = []
    const byLeader = new Map<number, PartitionQueue[]>()
    const bytesOf = new Map<number, number>()
    for (const queue of queues) {
      const leader = this.#leaderOf(queue)
      if (leader === undefined) {
        failures.push(new BrokerError('Produce', { ...placeOf(queue), errorCode: LEADER_NOT_AVAILABLE }))
        continue
      }
      const bytes = queue.batches[0]!.writer.length
      const sum = bytesOf.get(leader) ?? 0
      if (sum > 0 && sum + bytes > MAX_REQUEST_BYTES) continue
      bytesOf.set(leader, sum + bytes)
      const ofLeader = byLeader.get(leader)
      if (ofLeader) ofLeader.push(queue)
      else byLeader.set(leader, [queue])
    }
    for (const leaders of this.#leadersAtOnce(byLeader, context)) {
      const results = await Promise.allSettled(
        leaders.map((leader) => this.#produce(leader, byLeader.get(leader)!, context)),
      )
      for (const result of results) {
        if (result.status === 'rejected') throw result.reason
        failures.push(...result.value)
      }
    }
    return failures
  }

  /**
   * Returns the leaders in groups that get their requests side by side, one group after the other.
   *
   * With feature level 2 each leader adds its partitions to the transaction by itself, and the coordinator takes one such request
   * at a time: the others are answered CONCURRENT_TRANSACTIONS, which the leaders repeat only after 20 ms. Requests that add
   * partitions are therefore sent one after the other, which takes less than that.
   */
  #leadersAtOnce(byLeader: ReadonlyMap<number, readonly PartitionQueue[]>, { level }: SendContext): number[][] {
    const leaders = [...byLeader.keys()]
    const addsPartitions = [...byLeader.values()].flat().some(({ isInTransaction }) => !isInTransaction)
    return level >= 2 && addsPartitions ? leaders.map((leader) => [leader]) : [leaders]
  }

  /** Sends one batch to each of the partitions, which have the same leader. Removes those that are acknowledged. */
  async #produce(leader: number, queues: readonly PartitionQueue[], context: SendContext): Promise<BrokerError[]> {
    const { requests, requestTimeoutMs } = this.#deps
    const connection = await this.#connect(leader)
    if (connection === undefined) {
      return queues.map((queue) => new BrokerError('Produce', { ...placeOf(queue), errorCode: LEADER_NOT_AVAILABLE }))
    }
    const batches: PartitionBatch[] = []
    for (const queue of queues) batches.push(await this.#seal(queue, context))
    const request = produceRequest(context.transactionalId, batches, requestTimeoutMs)
    const { partitions } = await requests.sendOnce(connection, request, context)
    const answers = new Map(partitions.map((each) => [nameOf(each), each]))
    const failures: BrokerError[] = []
    for (const queue of queues) {
      const failure = this.#takeAnswer(queue, answers.get(nameOf(queue)))
      if (failure !== undefined) failures.push(failure)
    }
    const final = failures.find(({ reaction }) => reaction !== 'repeat' && reaction !== 'find-leader')
    if (final !== undefined) throw final
    return failures
  }

  #takeAnswer(queue: PartitionQueue, answer: ProducedPartition | undefined): BrokerError | undefined {
    if (answer === undefined) {
      throw new Error(
        `the leader of partition ${queue.partition} of topic ${queue.topic} did not acknowledge its records`,
      )
    }
    if (answer.errorCode !== 0) return new BrokerError('Produce', answer)
    queue.isInTransaction = true
    const batch = queue.batches.shift()!
    this.#keepWriter(batch.writer)
    return undefined
  }

  /** Nothing has been sent when connecting fails, so that the next round may try again. */
  async #connect(leader: number): Promise<BrokerConnection | undefined> {
    try {
      return await this.#deps.brokers.find(leader)
    } catch (error) {
      if (isRefusedByBroker(error)) throw error
      return undefined
    }
  }

  /** Gives the first batch of a partition its sequence number, and compresses it where that makes it smaller. */
  async #seal({ topic, partition, batches }: PartitionQueue, context: SendContext): Promise<PartitionBatch> {
    const [batch] = batches as [PendingBatch]
    if (batch.sealed !== undefined) return batch.sealed
    const { compressor } = this.#deps
    const hasSequence = context.identity.producerId >= 0n
    const baseSequence = hasSequence ? this.#takeSequence(topic, partition, batch.writer.count) : NO_SEQUENCE
    const { records } = batch.writer
    const output = await compressor.compress?.(records)
    // A codec makes what it can't shorten a little longer, which could exceed the limit. Such records are sent as they are.
    const compressed = output !== undefined && output.length > records.length ? undefined : output
    const attributes = {
      identity: context.identity,
      baseSequence,
      isTransactional: context.transactionalId !== null,
      compressionType: compressed === undefined ? NO_COMPRESSION : compressor.type,
    }
    batch.sealed = { topic, partition, bytes: batch.writer.seal(attributes, compressed) }
    return batch.sealed
  }

  /** Returns the sequence number of the first of `count` records. The numbers go on at 0 behind the highest one. */
  #takeSequence(topic: string, partition: number, count: number): number {
    const name = nameOf({ topic, partition })
    const first = this.#sequences.get(name) ?? 0
    this.#sequences.set(name, (first + count) % SEQUENCE_NUMBERS)
    return first
  }

  #leaderOf({ topic, partition }: PartitionQueue): number | undefined {
    const found = this.#deps.brokers.partitionsOf(topic).find(({ partitionId }) => partitionId === partition)
    return found === undefined || found.leader < 0 ? undefined : found.leader
  }

  #addBatch({ batches }: PartitionQueue): RecordBatchWriter {
    const writer = this.#writers.pop() ?? new RecordBatchWriter()
    writer.reset()
    batches.push({ writer, sealed: undefined })
    return writer
  }

  #keepWriter(writer: RecordBatchWriter): void {
    const keptBytes = this.#writers.reduce((sum, each) => sum + each.capacity, 0)
    if (keptBytes + writer.capacity <= MAX_KEPT_BYTES) this.#writers.push(writer)
  }
}

/** Returns the partitions of queues by topic, as AddPartitionsToTxn names them. */
export function topicPartitionsOf(queues: readonly PartitionQueue[]): TopicPartitions[] {
  const byTopic = new Map<string, number[]>()
  for (const { topic, partition } of queues) {
    const partitions = byTopic.get(topic)
    if (partitions) partitions.push(partition)
    else byTopic.set(topic, [partition])
  }
  return [...byTopic].map(([topic, partitions]) => ({ topic, partitions }))
}

function queueOf(queues: Map<string, PartitionQueue[]>, topic: string, partition: number): PartitionQueue {
  let ofTopic = queues.get(topic)
  if (ofTopic === undefined) {
    ofTopic = []
    queues.set(topic, ofTopic)
  }
  ofTopic[partition] ??= { topic, partition, batches: [], isInTransaction: false }
  return ofTopic[partition]
}

const placeOf = ({ topic, partition }: PartitionQueue): { topic: string; partition: number } => ({ topic, partition })

const nameOf = ({ topic, partition }: { topic: string; partition: number }): string => `${topic} ${partition}`
