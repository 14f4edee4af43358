import { createRequire } from 'node:module'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { mergeByTime, withoutAborted } from '../../src/kafka/committed-record-reader.js'
import { type FetchedMessage } from '../../src/kafka/kafkajs-workarounds/cluster-for-reading.js'

const fetched = (offset: number, producerId: string, more: Partial<FetchedMessage> = {}): FetchedMessage => ({
  offset: String(offset),
  timestamp: '0',
  key: null,
  value: Buffer.from('value'),
  isControlRecord: false,
  batchContext: { producerId, inTransaction: producerId !== '-1' },
  ...more,
})

const marker = (offset: number, producerId: string, type: 'abort' | 'commit'): FetchedMessage =>
  fetched(offset, producerId, { isControlRecord: true, key: Buffer.from([0, 0, 0, type === 'abort' ? 0 : 1]) })

const offsetsOf = (messages: readonly FetchedMessage[]): number[] => messages.map(({ offset }) => Number(offset))

describe('Records of aborted transactions', () => {
  it('are left out, up to the abort marker of their producer', () => {
    const messages = [
      fetched(0, '1'),
      fetched(1, '2'),
      fetched(2, '-1'),
      marker(3, '1', 'abort'),
      fetched(4, '1'),
      marker(5, '2', 'commit'),
      marker(6, '1', 'commit'),
    ]
    expect(offsetsOf(withoutAborted(messages, [{ producerId: '1', firstOffset: '0' }]))).toEqual([1, 2, 4])
  })

  it('are left out where reading begins inside several of them, in whatever order the broker lists them', () => {
    const messages = [fetched(10, '2'), fetched(11, '1'), fetched(12, '3'), marker(13, '1', 'abort'), fetched(14, '1')]
    const aborted = [
      { producerId: '2', firstOffset: '9' },
      { producerId: '1', firstOffset: '3' },
    ]
    expect(offsetsOf(withoutAborted(messages, aborted))).toEqual([12, 14])
  })

  it('are not confused with a record whose key looks like an abort marker', () => {
    const key = Buffer.from([0, 0, 0, 0])
    const messages = [fetched(0, '1', { key }), fetched(1, '1'), marker(2, '1', 'abort'), fetched(3, '2', { key })]
    expect(offsetsOf(withoutAborted(messages, [{ producerId: '1', firstOffset: '0' }]))).toEqual([3])
  })
})

describe('The installed kafkajs', () => {
  it('has the requests that reading without a group needs', () => {
    const Broker = createRequire(import.meta.url)('kafkajs/src/broker/index.js') as {
      prototype: Record<string, unknown>
    }
    expect(['fetch', 'listOffsets'].filter((name) => typeof Broker.prototype[name] !== 'function')).toEqual([])
  })
})

describe('Records of several partitions', () => {
  const at = (partition: number, timestamp: number) => ({ topic: 'dlr', partition, timestamp })

  it('are merged by their timestamps', () => {
    expect(mergeByTime([at(0, 1), at(0, 4), at(1, 2), at(1, 3)])).toEqual([at(0, 1), at(1, 2), at(1, 3), at(0, 4)])
  })

  it('keep the order of their partition, where an item that waited stands behind one that was received later', () => {
    expect(mergeByTime([at(0, 9), at(0, 1), at(1, 5)])).toEqual([at(1, 5), at(0, 9), at(0, 1)])
    const anyRecord = fc.record({ topic: fc.constantFrom('dlr', 'mo'), partition: fc.nat(2), timestamp: fc.nat(20) })
    fc.assert(
      fc.property(fc.array(anyRecord), (records) => {
        const merged = mergeByTime(records)
        const ofPartition = (list: typeof records, topic: string, partition: number): typeof records =>
          list.filter((each) => each.topic === topic && each.partition === partition)
        for (const topic of ['dlr', 'mo']) {
          for (const partition of [0, 1, 2]) {
            const expected = ofPartition(records, topic, partition)
            ofPartition(merged, topic, partition).forEach((each, i) => expect(each).toBe(expected[i]))
          }
        }
        expect(merged).toHaveLength(records.length)
      }),
    )
  })
})
