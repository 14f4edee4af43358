/**
 * Publishes exactly once: records and the position in the journal commit in one Kafka transaction (the pattern of KIP-618).
 *
 * The position is an offset of partition 0 of the dead-letter topic, in the group `dlr-mo-connector.<instance>.<journal id>`
 * (invariant 5), which no consumer joins. The offset is the sequence number plus one, so that it is never 0.
 *
 * The order of the calls is what makes this sound:
 *
 * - `open` gets a new producer id and epoch, which completes or aborts what an earlier producer of this instance has left open
 *   and fences it. Only then does it read the position; earlier, the old producer might still commit.
 * - `publish` stores the position first, then sends the records, then commits. The commit is sent only after everything else was
 *   acknowledged, and nothing is repeated whose outcome is unknown.
 * - Transactions run one at a time. After any rejection the producer is in doubt: it is destroyed with its connections, and
 *   `open` makes a new one and tells what was committed (invariant 7).
 */
import type { Clock } from '../core/clock.js'
import { ConnectorError } from '../core/errors.js'
import type { Log } from '../core/log.js'
import type { PublisherObserver } from '../core/observers.js'
import { createCompressor, type RecordCompressor } from './compression.js'
import { Fencing } from './fencing.js'
import { hasErrorType, isRefusedByBroker, toConnectionError } from './kafka-errors.js'
import { ProducerSession } from './producer-session.js'
import type { GroupOffset } from './protocol/requests.js'
import type { OutgoingRecord, Publisher } from './publisher.js'
import { RecordTimestamps } from './record-timestamps.js'
import type { KafkaSettings } from './settings.js'
import { Throttle } from './throttle.js'
import { TransactionalProducer } from './transactional-producer.js'

/** The partition of the dead-letter topic under which the position is stored. */
const POSITION_PARTITION = 0

/** Connections are closed when nothing has been published for this long. */
const DISCONNECT_IDLE_AFTER_MS = 10_000

interface OpenProducer {
  readonly session: ProducerSession
  readonly producer: TransactionalProducer
  readonly groupId: string
}

export interface PublisherDeps {
  readonly settings: KafkaSettings
  readonly clock: Clock
  readonly log: Log
  readonly observer?: PublisherObserver
}

export interface ExactlyOncePublisherOptions extends PublisherDeps {
  /** How long connections without traffic stay open; shorter in tests. */
  readonly disconnectIdleAfterMs?: number
}

const INVALID_TIMESTAMP: ReadonlySet<string> = new Set(['INVALID_TIMESTAMP'])

const formatClockLead = (ms: number): string =>
  `this machine's clock is ${Math.round(Math.abs(ms) / 1_000)} s ${ms < 0 ? 'behind' : 'ahead of'} the broker's`

export const NO_OBSERVER: PublisherObserver = { throttled: () => undefined }

export class ExactlyOncePublisher implements Publisher {
  readonly keepsPosition = true
  positionMetadata = ''
  readonly #deps: ExactlyOncePublisherOptions
  #settings: KafkaSettings
  #compressor: RecordCompressor
  readonly #fencing: Fencing
  readonly #throttle: Throttle
  readonly #timestamps: RecordTimestamps
  #open: OpenProducer | undefined
  #isOperating = false
  #idleTimer = new AbortController()

  /** @throws ConnectorError CONFIG_INVALID: this runtime does not support the compression */
  constructor(deps: ExactlyOncePublisherOptions) {
    const { settings, clock, observer = NO_OBSERVER } = deps
    this.#deps = deps
    this.#settings = settings
    this.#compressor = createCompressor(settings.compression)
    this.#fencing = new Fencing(clock, settings.transactionTimeout)
    this.#throttle = new Throttle(clock, observer)
    this.#timestamps = new RecordTimestamps(clock)
  }

  /**
   * Takes other settings for the next `open`. The instance, the topics and the transaction timeout must stay.
   * @throws ConnectorError CONFIG_INVALID: this runtime does not support the compression
   */
  reconfigure(settings: KafkaSettings): void {
    this.#compressor = createCompressor(settings.compression)
    this.#settings = settings
  }

  async open(journalId: string): Promise<number> {
    return this.#exclusively(async () => {
      this.#destroyProducer()
      const { clock } = this.#deps
      const settings = this.#settings
      const session = new ProducerSession({
        ...this.#deps,
        settings,
        throttle: this.#throttle,
        timestamps: this.#timestamps,
        compressor: this.#compressor,
      })
      const transactionalId = `dlr-mo-connector.${settings.instance}`
      const { requests, records } = session
      const producer = new TransactionalProducer(
        { requests, records, clock },
        { transactionalId, transactionTimeoutMs: settings.transactionTimeout },
      )
      const opened = { session, producer, groupId: `${transactionalId}.${journalId}` }
      this.#open = opened
      try {
        await session.connect()
        // From here on no earlier producer of this instance can commit.
        await this.#fencing.trackInitProducerId(() => producer.initialise())
        const stored = await producer.fetchOffset(opened.groupId, settings.topics.deadLetter, POSITION_PARTITION)
        const { offset, metadata } = stored
        this.positionMetadata = metadata
        return offset < 0 ? -1 : offset - 1
      } catch (error) {
        this.#destroyProducer()
        throw toConnectionError(error, settings.brokers, session.formatError(error))
      }
    })
  }

  async publish(records: readonly OutgoingRecord[], position: number, metadata = ''): Promise<void> {
    return this.#exclusively(async () => {
      const open = this.#open
      if (!open) throw new ConnectorError('PUBLISH_IN_DOUBT', 'there is no producer; call open first')
      this.#fencing.markTransactionStart()
      try {
        await this.#runTransaction(open, records, { offset: BigInt(position) + 1n, metadata })
      } catch (error) {
        const clockLead = hasErrorType(error, INVALID_TIMESTAMP) ? await open.producer.measureClockLead() : undefined
        this.#destroyProducer()
        const adapted = this.#timestamps.adaptTo(error, records, clockLead)
        if (adapted !== undefined) throw new ConnectorError('KAFKA_REFUSED', adapted, { cause: error })
        throw this.#toPublishError(error, open.session, clockLead)
      }
    })
  }

  async close(): Promise<void> {
    this.#idleTimer.abort()
    const open = this.#open
    this.#open = undefined
    await open?.session.close()
  }

  async #runTransaction(
    { session, producer, groupId }: OpenProducer,
    records: readonly OutgoingRecord[],
    offset: Pick<GroupOffset, 'offset' | 'metadata'>,
  ): Promise<void> {
    const { deadLetter } = this.#settings.topics
    await session.refreshPartitions()
    await producer.begin()
    await producer.storePosition({ groupId, topic: deadLetter, partition: POSITION_PARTITION, ...offset })
    await producer.send(records)
    await producer.commit()
  }

  /** @param clockLead how far the clock of this machine is ahead of the broker's, in milliseconds, where it is known */
  #toPublishError(error: unknown, session: ProducerSession, clockLead: number | undefined): ConnectorError {
    if (this.#fencing.isReplaced(error)) {
      const other = `another process publishes under instance "${this.#settings.instance}" and has taken over`
      const message = `${other}; give each process its own instance name`
      return new ConnectorError('PRODUCER_REPLACED', message, { cause: error })
    }
    const code = isRefusedByBroker(error) ? 'KAFKA_REFUSED' : 'PUBLISH_IN_DOUBT'
    const clocks = clockLead === undefined ? '' : `; ${formatClockLead(clockLead)}`
    const message = `Kafka did not confirm a transaction: ${session.formatError(error)}${clocks}`
    return new ConnectorError(code, message, { cause: error })
  }

  /** A producer in doubt is not used again, not even to abort: InitProducerId of the next producer aborts its transaction. */
  #destroyProducer(): void {
    this.#open?.session.destroy()
    this.#open = undefined
  }

  /**
   * Invariant 7: one transaction at a time. So no call runs during another one: the second is a mistake of the caller, and
   * fails without an effect.
   */
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
    if (!this.#open) return
    const { clock, disconnectIdleAfterMs = DISCONNECT_IDLE_AFTER_MS } = this.#deps
    this.#idleTimer = new AbortController()
    const { signal } = this.#idleTimer
    void clock.sleep(disconnectIdleAfterMs, signal).then(() => {
      if (!signal.aborted) this.#open?.session.disconnectIdle()
    })
  }
}
