/**
 * Publishes exactly once: records and the position in the journal commit in one Kafka transaction (the pattern of KIP-618).
 *
 * The position is an offset of partition 0 of the dead-letter topic, in the group `dlr-mo-connector.<instance>.<journal id>`
 * (invariant 5), which no consumer joins. The offset is the sequence number plus one, so that it is never 0.
 *
 * The order of the calls is what makes this sound:
 *
 * - `open` connects, and begins a transaction, because only that sends InitProducerId, which aborts what an earlier producer of
 *   this instance has left open and fences it. Only then does it read the position; earlier, the old producer might still commit.
 * - `publish` stores the position first, then sends the records in as many sends as they need, then commits. It makes one call
 *   to Kafka at a time and repeats none whose outcome is unknown (invariant 7).
 * - After any rejection the producer is in doubt. It is destroyed with its connections, and `open` tells what was committed.
 */
import type { Transaction } from 'kafkajs'
import { ConnectorError } from '../core/errors.js'
import { Backoff, retry } from '../core/retry.js'
import { registerWrappedCompression } from './compression.js'
import { Fencing } from './fencing.js'
import { CONCURRENT_TRANSACTIONS, hasErrorType, toConnectionError } from './kafka-errors.js'
import { ProducerSession, type ProducerSessionDeps } from './producer-session.js'
import type { OutgoingRecord, Publisher } from './publisher.js'
import { TRANSACTION_TIMEOUT_MS } from './settings.js'

/** Delays between attempts while the broker completes the transaction before. */
const CONCURRENT_TRANSACTIONS_DELAYS = { firstMs: 1, longestMs: 50 }

/** Connections are closed when nothing has been published for this long. */
const DISCONNECT_IDLE_AFTER_MS = 10_000

const DEFAULT_TIMES = {
  transactionTimeoutMs: TRANSACTION_TIMEOUT_MS,
  disconnectIdleAfterMs: DISCONNECT_IDLE_AFTER_MS,
}

/** An offset as Kafka stores it, with its metadata. */
interface StoredOffset {
  readonly offset: string
  readonly metadata: string
}

interface OpenProducer {
  readonly session: ProducerSession
  readonly groupId: string
  /** The transaction that `open` has begun and nothing was added to. */
  emptyTransaction: Transaction | undefined
}

export interface ExactlyOncePublisherOptions extends ProducerSessionDeps {
  /** The broker's timeout of a transaction; shorter in tests. */
  readonly transactionTimeoutMs?: number
  /** How long connections without traffic stay open; shorter in tests. */
  readonly disconnectIdleAfterMs?: number
}

export class ExactlyOncePublisher implements Publisher {
  readonly keepsPosition = true
  positionMetadata = ''
  readonly #deps: Required<ExactlyOncePublisherOptions>
  readonly #compression: number
  readonly #fencing: Fencing
  #producer: OpenProducer | undefined
  #isOperating = false
  #idleTimer = new AbortController()

  /** @throws ConnectorError CONFIG_INVALID: this runtime does not support the compression */
  constructor(options: ExactlyOncePublisherOptions) {
    this.#deps = { ...DEFAULT_TIMES, ...options }
    this.#compression = registerWrappedCompression(options.settings.compression)
    this.#fencing = new Fencing(options.clock, this.#deps.transactionTimeoutMs)
  }

  async open(journalId: string): Promise<number> {
    return this.#exclusively(async () => {
      this.#destroyProducer()
      const { settings } = this.#deps
      const id = `dlr-mo-connector.${settings.instance}`
      const session = new ProducerSession(this.#deps, { id, timeoutMs: this.#deps.transactionTimeoutMs })
      const producer: OpenProducer = { session, groupId: `${id}.${journalId}`, emptyTransaction: undefined }
      this.#producer = producer
      try {
        return await session.runStep(this.#initProducer(producer), 'opening a producer')
      } catch (error) {
        this.#destroyProducer()
        throw toConnectionError(error, settings.brokers, session.formatError(error))
      }
    })
  }

  async publish(records: readonly OutgoingRecord[], position: number, metadata = ''): Promise<void> {
    return this.#exclusively(async () => {
      const producer = this.#producer
      if (!producer) throw new ConnectorError('PUBLISH_IN_DOUBT', 'there is no producer; call open first')
      this.#fencing.markTransactionStart()
      try {
        await this.#runTransaction(producer, records, { offset: String(position + 1), metadata })
      } catch (error) {
        this.#destroyProducer()
        throw this.#toPublishError(error, producer.session)
      }
    })
  }

  async close(): Promise<void> {
    this.#idleTimer.abort()
    const producer = this.#producer
    this.#producer = undefined
    await producer?.session.close()
  }

  async #initProducer(producer: OpenProducer): Promise<number> {
    const { session, groupId } = producer
    await session.connect()
    // From here on no earlier producer of this instance can commit.
    producer.emptyTransaction = await this.#fencing.trackInitProducerId(() => session.producer.transaction())
    const { offset, metadata } = await session.fetchStoredOffset(groupId, this.#deps.settings.topics.deadLetter)
    this.positionMetadata = metadata
    session.disconnectAdmin()
    return offset < 0 ? -1 : offset - 1
  }

  async #runTransaction(
    producer: OpenProducer,
    records: readonly OutgoingRecord[],
    offset: StoredOffset,
  ): Promise<void> {
    const { session } = producer
    const transaction = producer.emptyTransaction ?? (await session.producer.transaction())
    producer.emptyTransaction = undefined
    await this.#storePosition(producer, transaction, offset)
    await session.send(transaction, records, this.#compression)
    // kafkajs sends EndTxn once. If that fails, the outcome is unknown, and no second commit is attempted.
    await session.runStep(transaction.commit(), 'a commit')
  }

  /**
   * Stores the position, as the first request of its transaction. The broker may still be completing the transaction before
   * and answers the first request with CONCURRENT_TRANSACTIONS then. kafkajs does not repeat this request, and nothing has been
   * written at that time, so repeating it here is safe. Every later request finds the transaction begun.
   */
  #storePosition({ session, groupId }: OpenProducer, transaction: Transaction, offset: StoredOffset): Promise<void> {
    const { settings, clock } = this.#deps
    const topics = [{ topic: settings.topics.deadLetter, partitions: [{ partition: 0, ...offset }] }]
    const giveUpAt = clock.monotonic() + session.maxSilenceMs
    return retry(
      () => session.runStep(transaction.sendOffsets({ consumerGroupId: groupId, topics }), 'storing the position'),
      {
        clock,
        backoff: new Backoff(CONCURRENT_TRANSACTIONS_DELAYS),
        shouldRetry: (error) => hasErrorType(error, CONCURRENT_TRANSACTIONS) && clock.monotonic() <= giveUpAt,
      },
    )
  }

  #toPublishError(error: unknown, session: ProducerSession): ConnectorError {
    if (this.#fencing.isReplaced(error)) {
      const other = `another process publishes under instance "${this.#deps.settings.instance}" and has taken over`
      const message = `${other}; give each process its own instance name`
      return new ConnectorError('PRODUCER_REPLACED', message, { cause: error })
    }
    const message = `Kafka did not confirm a transaction: ${session.formatError(error)}`
    return new ConnectorError('PUBLISH_IN_DOUBT', message, { cause: error })
  }

  /** A producer in doubt is not used again, not even to abort: InitProducerId of the next producer aborts its transaction. */
  #destroyProducer(): void {
    this.#producer?.session.destroy()
    this.#producer = undefined
  }

  /** Invariant 7: one operation at a time. Two concurrent calls are a mistake of the caller and fail without an effect. */
  async #exclusively<T>(operation: () => Promise<T>): Promise<T> {
    if (this.#isOperating) throw new Error('the publisher was called during another call')
    this.#isOperating = true
    this.#idleTimer.abort()
    try {
      return await operation()
    } finally {
      this.#isOperating = false
      this.#scheduleIdleDisconnect()
    }
  }

  #scheduleIdleDisconnect(): void {
    if (!this.#producer) return
    this.#idleTimer = new AbortController()
    const { signal } = this.#idleTimer
    void this.#deps.clock.sleep(this.#deps.disconnectIdleAfterMs, signal).then(() => {
      if (!signal.aborted) this.#producer?.session.disconnectIdle()
    })
  }
}
