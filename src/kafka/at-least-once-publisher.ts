/**
 * Publishes at least once: without transactions, and without a position in Kafka. An entry may be released as soon as all
 * in-sync replicas have its records. After a failure records are published again, with the same event ids.
 *
 * It uses a plain producer instead of kafkajs's idempotent one. Idempotence only helps a producer that repeats its sends, which
 * this one never does (see `producer-session.ts`), and kafkajs's idempotent producer must repeat them.
 */
import { ConnectorError } from '../core/errors.js'
import { registerWrappedCompression } from './compression.js'
import { toConnectionError } from './kafka-errors.js'
import { ProducerSession, type ProducerSessionDeps } from './producer-session.js'
import type { OutgoingRecord, Publisher } from './publisher.js'

export class AtLeastOncePublisher implements Publisher {
  readonly keepsPosition = false
  readonly positionMetadata = ''
  readonly #deps: ProducerSessionDeps
  readonly #compression: number
  #session: ProducerSession | undefined

  /** @throws ConnectorError CONFIG_INVALID: this runtime does not support the compression */
  constructor(deps: ProducerSessionDeps) {
    this.#deps = deps
    this.#compression = registerWrappedCompression(deps.settings.compression)
  }

  /** @returns -1, because Kafka stores no position; what the journal has released counts */
  async open(_journalId: string): Promise<number> {
    this.#destroySession()
    const { settings } = this.#deps
    const session = new ProducerSession(this.#deps)
    this.#session = session
    try {
      await session.runStep(session.connect(), 'opening a producer')
      session.disconnectAdmin()
      return -1
    } catch (error) {
      this.#destroySession()
      throw toConnectionError(error, settings.brokers, session.formatError(error))
    }
  }

  async publish(records: readonly OutgoingRecord[], _position: number): Promise<void> {
    const session = this.#session
    if (!session) throw new ConnectorError('PUBLISH_IN_DOUBT', 'there is no producer; call open first')
    try {
      await session.send(session.producer, records, this.#compression)
    } catch (error) {
      this.#destroySession()
      const message = `Kafka did not confirm all records: ${session.formatError(error)}`
      throw new ConnectorError('PUBLISH_IN_DOUBT', message, { cause: error })
    }
  }

  async close(): Promise<void> {
    const session = this.#session
    this.#session = undefined
    await session?.close()
  }

  #destroySession(): void {
    this.#session?.destroy()
    this.#session = undefined
  }
}
