/** A publisher that keeps its records in memory, for tests of the code that calls a publisher. It fulfils the same contract. */
import { ConnectorError } from '../../src/core/errors.js'
import type { OutgoingRecord, Publisher } from '../../src/kafka/publisher.js'

/** The records and positions that have been committed. Several publishers may share one broker. */
export class MemoryBroker {
  readonly records: OutgoingRecord[] = []
  readonly positions = new Map<string, number>()
  readonly metadata = new Map<string, string>()
}

export class MemoryPublisher implements Publisher {
  readonly keepsPosition = true
  positionMetadata = ''
  readonly #broker: MemoryBroker
  #journalId: string | undefined
  /** Called before the commit. If it throws, `publish` rejects with that error and nothing is committed. */
  beforeCommit: () => void | Promise<void> = () => undefined
  /** Called after the commit. If it throws, `publish` rejects with that error although everything is committed. */
  afterCommit: () => void | Promise<void> = () => undefined

  constructor(broker = new MemoryBroker()) {
    this.#broker = broker
  }

  async open(journalId: string): Promise<number> {
    this.#journalId = journalId
    this.positionMetadata = this.#broker.metadata.get(journalId) ?? ''
    return this.#broker.positions.get(journalId) ?? -1
  }

  async publish(records: readonly OutgoingRecord[], position: number, metadata = ''): Promise<void> {
    const journalId = this.#journalId
    if (journalId === undefined) throw new ConnectorError('PUBLISH_IN_DOUBT', 'there is no producer; call open first')
    try {
      await this.beforeCommit()
      this.#broker.records.push(...records)
      this.#broker.positions.set(journalId, position)
      this.#broker.metadata.set(journalId, metadata)
      await this.afterCommit()
    } catch (error) {
      this.#journalId = undefined
      throw error
    }
  }

  async close(): Promise<void> {
    this.#journalId = undefined
  }
}
