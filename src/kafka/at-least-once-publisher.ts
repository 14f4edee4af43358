/**
 * Publishes at least once: without transactions, and without a position in Kafka. An entry may be released as soon as all
 * in-sync replicas have its records. After a failure records are published again, with the same event ids.
 *
 * The producer is idempotent, so that a request that a broker asks to repeat is not written twice.
 */
import { ConnectorError } from '../core/errors.js'
import { createCompressor, type RecordCompressor } from './compression.js'
import { NO_OBSERVER, type PublisherDeps } from './exactly-once-publisher.js'
import { IdempotentProducer } from './idempotent-producer.js'
import { isRefusedByBroker, toConnectionError } from './kafka-errors.js'
import { ProducerSession } from './producer-session.js'
import type { OutgoingRecord, Publisher } from './publisher.js'
import { RecordTimestamps } from './record-timestamps.js'
import type { KafkaSettings } from './settings.js'
import { Throttle } from './throttle.js'

interface OpenProducer {
  readonly session: ProducerSession
  readonly producer: IdempotentProducer
}

export class AtLeastOncePublisher implements Publisher {
  readonly keepsPosition = false
  readonly positionMetadata = ''
  readonly #deps: PublisherDeps
  #settings: KafkaSettings
  #compressor: RecordCompressor
  readonly #throttle: Throttle
  readonly #timestamps: RecordTimestamps
  #open: OpenProducer | undefined

  /** @throws ConnectorError CONFIG_INVALID: this runtime does not support the compression */
  constructor(deps: PublisherDeps) {
    const { settings, clock, observer = NO_OBSERVER } = deps
    this.#deps = deps
    this.#settings = settings
    this.#compressor = createCompressor(settings.compression)
    this.#throttle = new Throttle(clock, observer)
    this.#timestamps = new RecordTimestamps(clock)
  }

  /**
   * Takes other settings for the next `open`. The topics must stay.
   * @throws ConnectorError CONFIG_INVALID: this runtime does not support the compression
   */
  reconfigure(settings: KafkaSettings): void {
    this.#compressor = createCompressor(settings.compression)
    this.#settings = settings
  }

  /** @returns -1, because Kafka stores no position; what the journal has released counts */
  async open(_journalId: string): Promise<number> {
    this.#destroyProducer()
    const { log } = this.#deps
    const settings = this.#settings
    const session = new ProducerSession({
      ...this.#deps,
      settings,
      throttle: this.#throttle,
      timestamps: this.#timestamps,
      compressor: this.#compressor,
    })
    const { requests, records } = session
    const producer = new IdempotentProducer({ requests, records, log })
    this.#open = { session, producer }
    try {
      await session.connect()
      await producer.initialise()
      return -1
    } catch (error) {
      this.#destroyProducer()
      throw toConnectionError(error, settings.brokers, session.formatError(error))
    }
  }

  async publish(records: readonly OutgoingRecord[], _position: number): Promise<void> {
    const open = this.#open
    if (!open) throw new ConnectorError('PUBLISH_IN_DOUBT', 'there is no producer; call open first')
    const { session, producer } = open
    try {
      await session.refreshPartitions()
      await producer.send(records)
    } catch (error) {
      this.#destroyProducer()
      const adapted = this.#timestamps.adaptTo(error, records)
      if (adapted !== undefined) throw new ConnectorError('KAFKA_REFUSED', adapted, { cause: error })
      const code = isRefusedByBroker(error) ? 'KAFKA_REFUSED' : 'PUBLISH_IN_DOUBT'
      const message = `Kafka did not confirm all records: ${session.formatError(error)}`
      throw new ConnectorError(code, message, { cause: error })
    }
  }

  async close(): Promise<void> {
    const open = this.#open
    this.#open = undefined
    await open?.session.close()
  }

  #destroyProducer(): void {
    this.#open?.session.destroy()
    this.#open = undefined
  }
}
