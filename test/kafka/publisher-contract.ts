/** The contract that every implementation of the publisher port fulfils. */
import { randomUUID } from 'node:crypto'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { ConnectorError } from '../../src/core/errors.js'
import type { OutgoingRecord, Publisher } from '../../src/kafka/publisher.js'

export interface SeenByConsumer {
  readonly key: string
  readonly value: Buffer
  readonly headers: Readonly<Record<string, string>>
}

export interface PublisherHarness {
  /** Empty topics that only this test uses. */
  readonly topics: { readonly dlr: string; readonly mo: string; readonly deadLetter: string }
  /** Makes another publisher of the same instance on the same broker. */
  publisher(): Publisher
  /** Returns what a `read_committed` consumer reads; the records of one key are in order. */
  committed(topic: string): Promise<readonly SeenByConsumer[]>
  /** Closes everything that the publishers have left open. */
  close(): Promise<void>
}

export function publisherContract(name: string, openHarness: () => Promise<PublisherHarness>): void {
  describe(`${name} as a publisher`, () => {
    let harness: PublisherHarness
    let publisher: Publisher
    const journal = 'a-journal'

    beforeEach(async () => {
      harness = await openHarness()
      publisher = harness.publisher()
    })
    afterEach(async () => {
      await publisher.close()
      await harness.close()
    })

    const record = (
      topic: string,
      key: string,
      text: string,
      headers: Record<string, string> = {},
    ): OutgoingRecord => ({
      topic,
      key,
      value: Buffer.from(text),
      headers,
    })
    const textsOf = (records: readonly SeenByConsumer[], key: string): string[] =>
      records.filter((each) => each.key === key).map(({ value }) => value.toString())

    it('finds no position before anything was published', async () => {
      expect(await publisher.open(journal)).toBe(-1)
    })

    it('publishes keys, values and headers byte for byte', async () => {
      await publisher.open(journal)
      const headers = { ce_id: 'x/1', ce_source: '/größe/😀', 'content-type': 'application/avro', empty: '' }
      const value = Buffer.from([0, 0, 0, 0, 7, 255, 254, 0])
      await publisher.publish([{ topic: harness.topics.dlr, key: 'clé 😀', value, headers }], 7)
      await publisher.publish([record(harness.topics.dlr, '', '')], 8)
      const seen = await harness.committed(harness.topics.dlr)
      expect(seen).toHaveLength(2)
      expect(seen.find(({ key }) => key === 'clé 😀')).toMatchObject({ value, headers })
      expect(seen.find(({ key }) => key === '')).toMatchObject({ value: Buffer.alloc(0), headers: {} })
    })

    it('keeps the order of each key within one call and across calls', async () => {
      await publisher.open(journal)
      const keys = ['a', 'b', 'c', 'd', 'e']
      for (let call = 0; call < 4; call++) {
        const records = Array.from({ length: 50 }, (_, i) =>
          record(harness.topics.mo, keys[i % keys.length]!, String(call * 50 + i)),
        )
        await publisher.publish(records, call)
      }
      const seen = await harness.committed(harness.topics.mo)
      expect(seen).toHaveLength(200)
      for (const [index, key] of keys.entries()) {
        expect(textsOf(seen, key)).toEqual(Array.from({ length: 40 }, (_, i) => String(i * 5 + index)))
      }
    })

    it('publishes to several topics in one call', async () => {
      await publisher.open(journal)
      const { dlr, mo, deadLetter } = harness.topics
      await publisher.publish([record(dlr, 'k', '1'), record(mo, 'k', '2'), record(deadLetter, 'k', '3')], 3)
      for (const [topic, text] of [
        [dlr, '1'],
        [mo, '2'],
        [deadLetter, '3'],
      ] as const) {
        expect(textsOf(await harness.committed(topic), 'k')).toEqual([text])
      }
    })

    it('publishes more than fits into one record batch of the broker', async () => {
      await publisher.open(journal)
      const value = Buffer.alloc(300 * 1024, 1)
      const records = Array.from({ length: 12 }, (_, i) => ({
        topic: harness.topics.dlr,
        key: 'same',
        value,
        headers: { n: String(i) },
      }))
      await publisher.publish(records, 12)
      const seen = await harness.committed(harness.topics.dlr)
      expect(seen.map(({ headers }) => headers['n'])).toEqual(records.map(({ headers }) => headers.n))
    })

    it('returns the last position when it is opened again, if it keeps positions', async () => {
      await publisher.open(journal)
      const position = 1_795_328_036_471_103 // microseconds since the epoch
      await publisher.publish([record(harness.topics.dlr, 'k', '1')], position - 1)
      await publisher.publish([record(harness.topics.dlr, 'k', '2')], position)
      await publisher.close()
      publisher = harness.publisher()
      expect(await publisher.open(journal)).toBe(publisher.keepsPosition ? position : -1)
    })

    it('returns the metadata of the last position, if it keeps positions', async () => {
      await publisher.open(journal)
      expect(publisher.positionMetadata).toBe('')
      await publisher.publish([record(harness.topics.dlr, 'k', '1')], 4, 'items=17 “é”')
      await publisher.publish([], 4, 'items=18 “é”')
      await publisher.close()
      publisher = harness.publisher()
      expect(await publisher.open(journal)).toBe(publisher.keepsPosition ? 4 : -1)
      expect(publisher.positionMetadata).toBe(publisher.keepsPosition ? 'items=18 “é”' : '')
      await publisher.publish([], 5)
      await publisher.open(journal)
      expect(publisher.positionMetadata).toBe('')
    })

    it('accepts position 0, and a position without records', async () => {
      await publisher.open(journal)
      await publisher.publish([], 0)
      expect(await publisher.open(journal)).toBe(publisher.keepsPosition ? 0 : -1)
    })

    it('keeps the positions of two journals separate', async () => {
      await publisher.open(journal)
      await publisher.publish([], 5)
      expect(await publisher.open(randomUUID())).toBe(-1)
    })

    it('continues to publish after it was opened again', async () => {
      await publisher.open(journal)
      await publisher.publish([record(harness.topics.dlr, 'k', '1')], 1)
      await publisher.open(journal)
      await publisher.publish([record(harness.topics.dlr, 'k', '2')], 2)
      expect(textsOf(await harness.committed(harness.topics.dlr), 'k')).toEqual(['1', '2'])
    })

    it('refuses to publish before it was opened', async () => {
      const refused = publisher.publish([record(harness.topics.dlr, 'k', '1')], 1)
      await expect(refused).rejects.toBeInstanceOf(ConnectorError)
      await expect(refused).rejects.toMatchObject({ code: 'PUBLISH_IN_DOUBT' })
    })

    it('may be closed twice, and before it was opened', async () => {
      await publisher.close()
      await publisher.open(journal)
      await publisher.close()
      await publisher.close()
      expect(await harness.committed(harness.topics.dlr)).toEqual([])
    })
  })
}
