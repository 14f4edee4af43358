import fc from 'fast-check'
import type { Message } from 'kafkajs'
import { describe, expect, it } from 'vitest'
import type { OutgoingRecord } from '../../src/kafka/publisher.js'
import { BATCH_HEADER_BYTES, RECORD_FRAME_BYTES } from '../../src/kafka/send-batches.js'
import { wrapRecord } from '../../src/kafka/kafkajs-workarounds/record-codec.js'
import { splitIntoSends } from '../../src/kafka/send-batches.js'

const MAX = 10_000
const partitionOf = (_topic: string, key: string): number => Number(key) % 3
const record: fc.Arbitrary<OutgoingRecord> = fc.record({
  topic: fc.constantFrom('a', 'b'),
  key: fc.integer({ min: 0, max: 9 }).map(String),
  value: fc.integer({ min: 0, max: MAX - 300 }).map((length) => Buffer.alloc(length)),
  headers: fc.constant({ ce_id: 'x' }),
})
const numbered = fc
  .array(record, { maxLength: 60 })
  .map((records) => records.map((each, i) => ({ ...each, headers: { ce_id: String(i) } })))
/** Returns the records of a topic and partition in the order in which they are sent. */
const flat = (sends: ReturnType<typeof splitIntoSends>, topic: string, partition: number): Message[] =>
  sends
    .flatMap((send) => send.filter((each) => each.topic === topic).flatMap(({ messages }) => messages))
    .filter((each) => each.partition === partition)

/** Compares as text, because vitest compares buffers slowly, byte by byte. */
const textOf = (bytes: Message['value']): string => (bytes as Buffer).toString('latin1')

describe('splitIntoSends', () => {
  it('puts every record into one send, in order for each partition', () => {
    fc.assert(
      fc.property(numbered, (records) => {
        const sends = splitIntoSends(records, MAX, partitionOf)
        for (const topic of ['a', 'b']) {
          for (const partition of [0, 1, 2]) {
            const expected = records
              .filter((each) => each.topic === topic && partitionOf(topic, each.key) === partition)
              .map((each) => textOf(wrapRecord(each)))
            expect(flat(sends, topic, partition).map(({ value }) => textOf(value))).toEqual(expected)
          }
        }
      }),
    )
  })

  it('never exceeds the size of a record batch', () => {
    fc.assert(
      fc.property(numbered, (records) => {
        for (const send of splitIntoSends(records, MAX, partitionOf)) {
          for (const { messages } of send) {
            const sizes = new Map<number, number>()
            for (const { partition = 0, value } of messages) {
              sizes.set(partition, (sizes.get(partition) ?? BATCH_HEADER_BYTES) + RECORD_FRAME_BYTES + value!.length)
            }
            expect(Math.max(...sizes.values())).toBeLessThanOrEqual(MAX)
          }
        }
      }),
    )
  })

  it('makes one send of records that fit into one', () => {
    const records = Array.from({ length: 100 }, (_, i) => ({
      topic: 'a',
      key: String(i),
      value: Buffer.alloc(200),
      headers: {},
    }))
    expect(splitIntoSends(records, MAX, partitionOf)).toHaveLength(1)
    expect(splitIntoSends([], MAX, partitionOf)).toEqual([])
  })

  it('bounds the total size of a send with many partitions', () => {
    const value = Buffer.alloc(200 * 1024)
    const records = Array.from({ length: 40 }, (_, i) => ({ topic: 'a', key: String(i), value, headers: {} }))
    const sends = splitIntoSends(records, 900 * 1024, (_topic, key) => Number(key))
    const sums = sends.map((send) =>
      send.flatMap(({ messages }) => messages).reduce((sum, each) => sum + each.value!.length, 0),
    )
    expect(Math.max(...sums)).toBeLessThanOrEqual(1024 * 1024)
    expect(sends).toHaveLength(8)
  })
})
