/**
 * At least once: no transaction and no position in Kafka. An entry may be released once all in-sync replicas have its
 * records; after a failure records are published again, with the same event ids.
 *
 * A plain producer rather than kafkajs's idempotent one. Idempotence only helps a producer that repeats sends, which
 * this one never does (see `kafka-session.ts`), and kafkajs's must repeat them.
 */
import { ConnectorError } from '../core/errors.js'
import { wrappedCompression } from './compression.js'
import { connectionError } from './kafka-errors.js'
import { ProducerSession, type SessionDeps } from './producer-session.js'
import type { OutgoingRecord, Publisher } from './publisher.js'
import { sendAndVerify } from './kafkajs-workarounds/send-all.js'
import { splitIntoSends } from './send-batches.js'

export class AtLeastOncePublisher implements Publisher {
  readonly keepsPosition = false
  readonly #deps: SessionDeps
  readonly #compression: number
  #session: ProducerSession | undefined

  /** @throws ConnectorError CONFIG_INVALID: the compression can't be used here */
  constructor(deps: SessionDeps) {
    this.#deps = deps
    this.#compression = wrappedCompression(deps.settings.compression)
  }

  /** @returns -1: the broker knows of no position, what the journal has released counts */
  async open(_journalId: string): Promise<number> {
    this.#discard()
    const { settings } = this.#deps
    const session = (this.#session = new ProducerSession(this.#deps))
    try {
      await session.step(session.connect(), 'opening a producer')
      session.leaveAdmin()
      return -1
    } catch (error) {
      this.#discard()
      throw connectionError(error, settings.brokers, session.formatError(error))
    }
  }

  async publish(records: readonly OutgoingRecord[], _position: number): Promise<void> {
    const { settings } = this.#deps
    const session = this.#session
    if (!session) throw new ConnectorError('PUBLISH_IN_DOUBT', 'there is no producer; open one')
    try {
      for (const topicMessages of splitIntoSends(records, settings.maxBatchBytes, session.partitionOf)) {
        const options = { topicMessages, compression: this.#compression, timeout: settings.requestTimeout }
        await session.step(sendAndVerify(session.producer, options), 'a send')
      }
    } catch (error) {
      this.#discard()
      throw new ConnectorError('PUBLISH_IN_DOUBT', `Kafka did not confirm all records: ${session.formatError(error)}`, {
        cause: error,
      })
    }
  }

  async close(): Promise<void> {
    const session = this.#session
    this.#session = undefined
    await session?.close()
  }

  #discard(): void {
    this.#session?.destroy()
    this.#session = undefined
  }
}
