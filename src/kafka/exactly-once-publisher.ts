/**
 * Exactly once: records and the position in the journal commit in one Kafka transaction (the pattern of KIP-618).
 *
 * The position is an offset of the group `dlr-mo-connector.<instance>.<journal id>` (invariant 5) for partition 0 of the
 * dead-letter topic: the sequence number plus one, so that it is never 0. A group without members, that nobody joins.
 *
 * The order is what makes it hold:
 *   open     connect; begin a transaction, for only that sends InitProducerId, which aborts what an earlier producer of
 *            this instance left open and fences it; and only then read the position, for before that the earlier
 *            producer might still have committed
 *   publish  the position first, then the records in as many sends as they need, then commit. One call to Kafka at a
 *            time, none repeated whose outcome is unknown (invariant 7)
 *   doubt    any rejection: the producer is destroyed with its connections; `open` tells what was committed
 */
import type { Transaction } from 'kafkajs'
import { ConnectorError } from '../core/errors.js'
import { wrappedCompression } from './compression.js'
import { Fencing } from './fencing.js'
import { CONCURRENT_TRANSACTIONS, connectionError, hasErrorType } from './kafka-errors.js'
import { ProducerSession, type SessionDeps } from './producer-session.js'
import type { OutgoingRecord, Publisher } from './publisher.js'
import { sendAndVerify } from './kafkajs-workarounds/send-all.js'
import { splitIntoSends } from './send-batches.js'
import { TRANSACTION_TIMEOUT } from './settings.js'

/** Milliseconds between attempts while the broker finishes the transaction before; doubled up to the longest. */
const FINISHING = { first: 1, longest: 50 }

/** Milliseconds without anything to publish after which connections are let go of. */
const REST_AFTER = 10_000

interface Open {
  readonly session: ProducerSession
  readonly groupId: string
  /** Begun and empty. */
  next: Transaction | undefined
}

export interface ExactlyOncePublisherOptions extends SessionDeps {
  /** For tests of what happens after them; milliseconds. */
  readonly transactionTimeout?: number
  readonly restAfter?: number
}

export class ExactlyOncePublisher implements Publisher {
  readonly keepsPosition = true
  readonly #deps: SessionDeps
  readonly #transactionTimeout: number
  readonly #compression: number
  readonly #fencing: Fencing
  readonly #restAfter: number
  #open: Open | undefined
  #busy = false
  #waiting = new AbortController()

  /** @throws ConnectorError CONFIG_INVALID: the compression can't be used here */
  constructor({
    transactionTimeout = TRANSACTION_TIMEOUT,
    restAfter = REST_AFTER,
    ...parts
  }: ExactlyOncePublisherOptions) {
    this.#deps = parts
    this.#restAfter = restAfter
    this.#transactionTimeout = transactionTimeout
    this.#compression = wrappedCompression(parts.settings.compression)
    this.#fencing = new Fencing(parts.clock, transactionTimeout)
  }

  async open(journalId: string): Promise<number> {
    return this.#alone(async () => {
      this.#discard()
      const { settings } = this.#deps
      const id = `dlr-mo-connector.${settings.instance}`
      const session = new ProducerSession(this.#deps, { id, timeout: this.#transactionTimeout })
      this.#open = { session, groupId: `${id}.${journalId}`, next: undefined }
      try {
        return await session.step(this.#begin(this.#open), 'opening a producer')
      } catch (error) {
        this.#discard()
        throw connectionError(error, settings.brokers, session.formatError(error))
      }
    })
  }

  async publish(records: readonly OutgoingRecord[], position: number): Promise<void> {
    return this.#alone(async () => {
      const open = this.#open
      if (!open) throw new ConnectorError('PUBLISH_IN_DOUBT', 'there is no producer; open one')
      this.#fencing.transactionBegins()
      try {
        await this.#transact(open, records, position)
      } catch (error) {
        this.#discard()
        throw this.#publishError(error, open.session)
      }
    })
  }

  async close(): Promise<void> {
    this.#waiting.abort()
    const open = this.#open
    this.#open = undefined
    await open?.session.close()
  }

  async #begin(open: Open): Promise<number> {
    const { session, groupId } = open
    await session.connect()
    // From here on earlier producers of this instance can commit nothing more.
    open.next = await this.#fencing.initialise(() => session.producer.transaction())
    const offset = await session.storedOffset(groupId, this.#deps.settings.topics.deadLetter)
    session.leaveAdmin()
    return offset < 0 ? -1 : offset - 1
  }

  async #transact(open: Open, records: readonly OutgoingRecord[], position: number): Promise<void> {
    const { session } = open
    const { settings } = this.#deps
    const transaction = open.next ?? (await session.producer.transaction())
    open.next = undefined
    await this.#sendPosition(open, transaction, position)
    for (const topicMessages of splitIntoSends(records, settings.maxBatchBytes, session.partitionOf)) {
      const options = { topicMessages, compression: this.#compression, timeout: settings.requestTimeout }
      await session.step(sendAndVerify(transaction, options), 'a send')
    }
    // kafkajs sends EndTxn once and gives its outcome or an error; the error is never answered by another commit here.
    await session.step(transaction.commit(), 'a commit')
  }

  /**
   * First in its transaction, because the broker may still be finishing the one before: it says so to whatever comes
   * first, and this call kafkajs does not repeat by itself, nor has anything been written then. Everything after it
   * finds the transaction begun.
   */
  async #sendPosition({ session, groupId }: Open, transaction: Transaction, position: number): Promise<void> {
    const { settings, clock } = this.#deps
    const topics = [{ topic: settings.topics.deadLetter, partitions: [{ partition: 0, offset: String(position + 1) }] }]
    const giveUpAt = clock.monotonic() + session.patience
    for (let pause = FINISHING.first; ; pause = Math.min(pause * 2, FINISHING.longest)) {
      try {
        const stored = transaction.sendOffsets({ consumerGroupId: groupId, topics })
        return await session.step(stored, 'storing the position')
      } catch (error) {
        if (!hasErrorType(error, CONCURRENT_TRANSACTIONS) || clock.monotonic() > giveUpAt) throw error
        await clock.sleep(pause)
      }
    }
  }

  #publishError(error: unknown, session: ProducerSession): ConnectorError {
    if (this.#fencing.replaced(error)) {
      return new ConnectorError(
        'PRODUCER_REPLACED',
        `another process publishes as instance "${this.#deps.settings.instance}" and has taken over: give each its own name`,
        { cause: error },
      )
    }
    return new ConnectorError(
      'PUBLISH_IN_DOUBT',
      `Kafka did not confirm a transaction: ${session.formatError(error)}`,
      {
        cause: error,
      },
    )
  }

  /** A producer in doubt is not used again, not even to abort: the next one's InitProducerId does that. */
  #discard(): void {
    this.#open?.session.destroy()
    this.#open = undefined
  }

  /** Invariant 7. Two calls at once are a mistake of the caller, and harm nothing. */
  async #alone<T>(operation: () => Promise<T>): Promise<T> {
    if (this.#busy) throw new Error('the publisher was called while a call was under way')
    this.#busy = true
    this.#waiting.abort()
    try {
      return await operation()
    } finally {
      this.#busy = false
      this.#restWhenIdle()
    }
  }

  #restWhenIdle(): void {
    if (!this.#open) return
    const { signal } = (this.#waiting = new AbortController())
    void this.#deps.clock.sleep(this.#restAfter, signal).then(() => {
      if (!signal.aborted) this.#open?.session.rest()
    })
  }
}
