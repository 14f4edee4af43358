/**
 * A producer without transactions. Its records carry a producer id and sequence numbers, by which a leader recognises a batch
 * that it has already. It is given up after the first error, and never repaired (invariant 7).
 */
import type { Log } from '../core/log.js'
import { BrokerError } from './broker-error.js'
import { initProducerIdRequest, type ProducerIdentity } from './protocol/requests.js'
import type { OutgoingRecord } from './publisher.js'
import type { RecordSender } from './record-sender.js'
import type { RequestSender } from './request-sender.js'

export interface IdempotentProducerDeps {
  readonly requests: RequestSender
  readonly records: RecordSender
  readonly log: Log
}

/** The broker ignores it without a transactional id. */
const NO_TRANSACTION_TIMEOUT_MS = 0

/** Records without producer id and sequence numbers. */
const NO_IDENTITY: ProducerIdentity = { producerId: -1n, producerEpoch: -1 }

export class IdempotentProducer {
  readonly #deps: IdempotentProducerDeps
  #identity: ProducerIdentity | undefined

  constructor(deps: IdempotentProducerDeps) {
    this.#deps = deps
  }

  /** Gets a producer id from any broker. */
  async initialise(): Promise<void> {
    const { requests, records, log } = this.#deps
    const request = initProducerIdRequest(null, NO_TRANSACTION_TIMEOUT_MS)
    try {
      const { producerId, producerEpoch } = await requests.sendToAny(request)
      this.#identity = { producerId, producerEpoch }
    } catch (error) {
      if (!(error instanceof BrokerError && error.type === 'CLUSTER_AUTHORIZATION_FAILED')) throw error
      // Brokers before 3.0 demand this right of idempotent producers alone. Without it a repeated request may double records.
      log.warn({ event: 'idempotence-refused' }, `publishing goes on without an idempotent producer: ${error.message}`)
      this.#identity = NO_IDENTITY
    }
    records.resetSequences()
  }

  /** Resolves when all in-sync replicas have the records. */
  async send(outgoing: readonly OutgoingRecord[]): Promise<void> {
    if (this.#identity === undefined) throw new Error('the producer is not initialised')
    const { records } = this.#deps
    const queues = await records.writeBatches(outgoing)
    await records.send(queues, { identity: this.#identity, transactionalId: null, level: 0, latest: Infinity })
  }
}
