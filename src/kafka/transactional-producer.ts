/**
 * A transactional producer for one transaction at a time, in which records of several topics and one offset of a group without
 * members commit together. It is given up after the first error, and never repaired (invariant 7).
 *
 * Which requests a transaction consists of depends on the level of the feature `transaction.version` that is finalized in the
 * cluster. It is fixed when a transaction begins:
 *
 * | step | level 2 (KIP-890) | level 0 and 1 |
 * |---|---|---|
 * | `storePosition` | TxnOffsetCommit v5 | AddOffsetsToTxn, TxnOffsetCommit |
 * | `send` | Produce v12 | AddPartitionsToTxn, Produce |
 * | `commit` | EndTxn v5 | EndTxn |
 *
 * With level 2 the broker adds groups and partitions to the transaction by itself, and the answer to EndTxn has the epoch of the
 * next transaction, so that nothing that is late can become part of it. Sequence numbers start at 0 with each epoch.
 */
import type { Clock } from '../core/clock.js'
import {
  addOffsetsToTxnRequest,
  addPartitionsToTxnRequest,
  describeTransactionsRequest,
  endTxnRequest,
  type GroupOffset,
  initProducerIdRequest,
  offsetFetchRequest,
  type ProducerIdentity,
  txnOffsetCommitRequest,
} from './protocol/requests.js'
import type { OutgoingRecord } from './publisher.js'
import { type RecordSender, topicPartitionsOf } from './record-sender.js'
import type { RequestSender, SendOptions } from './request-sender.js'

export interface TransactionalProducerDeps {
  readonly requests: RequestSender
  readonly records: RecordSender
  readonly clock: Clock
}

export interface TransactionalProducerOptions {
  readonly transactionalId: string
  /** The broker aborts a transaction that is older. */
  readonly transactionTimeoutMs: number
}

/** The level of `transaction.version` is asked for again after this time, so that an upgrade of the cluster is noticed. */
const LEVEL_MAX_AGE_MS = 60_000

/** The transaction that is under way. */
interface OpenTransaction {
  readonly level: number
  /** The monotonic time at which the broker may abort it. */
  readonly abortedFrom: number
  /** When it began, in milliseconds since the epoch by the clock of this machine. */
  readonly begunAt: number
}

export class TransactionalProducer {
  readonly #deps: TransactionalProducerDeps
  readonly #options: TransactionalProducerOptions
  #identity: ProducerIdentity | undefined
  #transaction: OpenTransaction | undefined
  #level = 0
  #levelAskedAt = -Infinity

  constructor(deps: TransactionalProducerDeps, options: TransactionalProducerOptions) {
    this.#deps = deps
    this.#options = options
  }

  /**
   * Gets a producer id and epoch. The coordinator first completes or aborts what an earlier producer of the same transactional id
   * has left, and fences that producer.
   */
  async initialise(): Promise<void> {
    const { requests, records } = this.#deps
    const { transactionalId, transactionTimeoutMs } = this.#options
    const request = initProducerIdRequest(transactionalId, transactionTimeoutMs)
    const { producerId, producerEpoch } = await requests.sendToCoordinator('transaction', transactionalId, request)
    this.#identity = { producerId, producerEpoch }
    records.resetSequences()
  }

  /**
   * Returns the offset that the group has stored, -1 if there is none, and its metadata. Call it after `initialise`, because an
   * earlier producer may commit until then.
   */
  async fetchOffset(groupId: string, topic: string, partition: number): Promise<{ offset: number; metadata: string }> {
    const request = offsetFetchRequest(groupId, topic, partition)
    const subject = { topic, partition }
    const { offset, metadata } = await this.#deps.requests.sendToCoordinator('group', groupId, request, { subject })
    return { offset: Number(offset), metadata: metadata ?? '' }
  }

  /** Fixes the protocol of the next transaction. The broker begins it with the first request. */
  async begin(): Promise<void> {
    const { requests, clock } = this.#deps
    if (clock.monotonic() - this.#levelAskedAt > LEVEL_MAX_AGE_MS) {
      this.#level = await requests.fetchTransactionLevel(this.#options.transactionalId)
      this.#levelAskedAt = clock.monotonic()
    }
    const abortedFrom = clock.monotonic() + this.#options.transactionTimeoutMs
    this.#transaction = { level: this.#level, abortedFrom, begunAt: clock.now() }
  }

  /** Stores an offset of a group in the transaction. */
  async storePosition(position: GroupOffset): Promise<void> {
    const { requests } = this.#deps
    const { transactionalId } = this.#options
    const identity = this.#requireIdentity()
    const options = this.#sendOptions()
    const { groupId, topic, partition } = position
    if (options.level < 2) {
      const request = addOffsetsToTxnRequest(transactionalId, identity, groupId)
      await requests.sendToCoordinator('transaction', transactionalId, request, {
        ...options,
        subject: { group: groupId },
      })
    }
    await requests.sendToCoordinator('group', groupId, txnOffsetCommitRequest(transactionalId, identity, position), {
      ...options,
      subject: { topic, partition, transactionalId },
    })
  }

  /** Sends records in the transaction. Resolves when all in-sync replicas have them. */
  async send(outgoing: readonly OutgoingRecord[]): Promise<void> {
    if (outgoing.length === 0) return
    const { requests, records } = this.#deps
    const { transactionalId } = this.#options
    const identity = this.#requireIdentity()
    const options = this.#sendOptions()
    const queues = await records.writeBatches(outgoing)
    if (options.level < 2) {
      const request = addPartitionsToTxnRequest(transactionalId, identity, topicPartitionsOf(queues))
      await requests.sendToCoordinator('transaction', transactionalId, request, options)
    }
    await records.send(queues, { identity, transactionalId, ...options })
  }

  /** Commits the transaction. If this rejects, only a new producer can tell whether it was committed. */
  async commit(): Promise<void> {
    const { requests, records } = this.#deps
    const { transactionalId } = this.#options
    const request = endTxnRequest(transactionalId, this.#requireIdentity(), true)
    const { next } = await requests.sendToCoordinator('transaction', transactionalId, request, this.#sendOptions())
    this.#transaction = undefined
    if (next === undefined) return
    if (next.producerId < 0n || next.producerEpoch < 0) {
      throw new Error('Kafka committed the transaction, but returned no producer id and epoch for the next one')
    }
    this.#identity = next
    records.resetSequences()
  }

  /**
   * Returns how far the clock of this machine is ahead of the coordinator's, in milliseconds, to about the duration of a request;
   * undefined if it can't be known. The coordinator remembers by its own clock when the open transaction began.
   */
  async measureClockLead(): Promise<number | undefined> {
    const { transactionalId } = this.#options
    const begunAt = this.#transaction?.begunAt
    if (begunAt === undefined) return undefined
    try {
      const request = describeTransactionsRequest(transactionalId)
      const { startTimeMs } = await this.#deps.requests.sendToCoordinator('transaction', transactionalId, request)
      return startTimeMs === undefined ? undefined : begunAt - startTimeMs
    } catch {
      // Brokers before 3.0 don't have this request.
      return undefined
    }
  }

  #requireIdentity(): ProducerIdentity {
    if (this.#identity === undefined) throw new Error('the producer is not initialised')
    return this.#identity
  }

  #sendOptions(): Required<Pick<SendOptions, 'level' | 'latest'>> {
    if (this.#transaction === undefined) throw new Error('no transaction has begun')
    return { level: this.#transaction.level, latest: this.#transaction.abortedFrom }
  }
}
