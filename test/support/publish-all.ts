import { expect } from 'vitest'
import { ConnectorError } from '../../src/core/errors.js'
import type { OutgoingRecord, Publisher } from '../../src/kafka/publisher.js'

/**
 * Publishes as the pipeline does: after any doubt it continues at the broker's position.
 * @param batch returns `count` records, of which the first has the number `from`
 * @param count the number of the record behind the last one
 * @param size the records of each transaction
 */
export async function publishAll(
  publisher: Publisher,
  journalId: string,
  batch: (from: number, count: number) => OutgoingRecord[],
  count: number,
  size: number,
): Promise<{ doubts: number }> {
  let doubts = 0
  let next: number | undefined
  while (next === undefined || next < count) {
    try {
      next ??= (await publisher.open(journalId)) + 1
      await publisher.publish(batch(next, size), next + size - 1)
      next += size
    } catch (error) {
      expect(error).toBeInstanceOf(ConnectorError)
      expect(['PUBLISH_IN_DOUBT', 'KAFKA_UNREACHABLE']).toContain((error as ConnectorError).code)
      next = undefined
      doubts++
    }
  }
  return { doubts }
}
