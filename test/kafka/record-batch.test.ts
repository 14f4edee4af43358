import { createRequire } from 'node:module'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createCompressor } from '../../src/kafka/compression.js'
import type { OutgoingRecord } from '../../src/kafka/publisher.js'
import { BATCH_HEADER_BYTES, maxEncodedBytes, maxRecordBytes, RecordBatchWriter } from '../../src/kafka/record-batch.js'

interface Decoded {
  readonly firstOffset: string
  readonly inTransaction: boolean
  readonly producerId: string
  readonly producerEpoch: number
  readonly firstSequence: number
  readonly maxTimestamp: string
  readonly records: readonly {
    readonly key: Buffer
    readonly value: Buffer
    readonly headers: Readonly<Record<string, Buffer | Buffer[]>>
    readonly timestamp: string
    readonly offset: string
  }[]
}

// kafkajs's own encoder and decoder, with which the writer must agree.
const require = createRequire(import.meta.url)
const encodeRecord = require('kafkajs/src/protocol/recordBatch/record/v0') as (record: object) => { buffer: Buffer }
const { RecordBatch } = require('kafkajs/src/protocol/recordBatch/v0') as {
  RecordBatch: (batch: object) => Promise<{ buffer: Buffer }>
}
const Decoder = require('kafkajs/src/protocol/decoder') as new (bytes: Buffer) => object
const decodeBatch = require('kafkajs/src/protocol/recordBatch/v0/decoder') as (decoder: object) => Promise<Decoded>

const FIRST = 1_795_328_036_471
const attributes = {
  identity: { producerId: 4_000_000_000n, producerEpoch: 7 },
  baseSequence: 41,
  isTransactional: true,
  compressionType: 0,
}
const constants = {
  partitionLeaderEpoch: -1,
  producerId: 4_000_000_000,
  producerEpoch: 7,
  firstSequence: 41,
  transactional: true,
}

/**
 * A batch that Kafka 4.1.1 wrote with `MemoryRecordsBuilder`: three records, of which the second one is a
 * millisecond older than the first.
 */
const BATCH_OF_KAFKA =
  '00000000000000000000011fffffffff0200251e29001000000002000001a201e3ce77000001a201e4c69f00000000ee6b2800000700000029000000034c00000012636cc3a920f09f98800c0000000007ff040a63655f696406782f310a656d707479000c000102000000fc0200d0e007048c016b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6bc80109090909090909090909090909090909090909090909090909090909090909090909090909090909090909090909090909090909090909090909090909090909090909090909090909090909090909090909090909090909090909090909090909090909020a63655f696406782f32'

const bytes = fc.uint8Array({ maxLength: 300 }).map((each) => Buffer.from(each))
const large = fc.integer({ min: 0, max: 70_000 }).map((length) => Buffer.alloc(length, 7))
const record: fc.Arbitrary<OutgoingRecord> = fc.record({
  topic: fc.constant('topic'),
  key: fc.string({ unit: 'grapheme', maxLength: 80 }),
  value: fc.oneof(bytes, large),
  headers: fc.dictionary(
    // kafkajs reads headers into an object with a prototype.
    fc.string({ unit: 'grapheme', maxLength: 20 }).filter((name) => !(name in {})),
    fc.string({ unit: 'grapheme', maxLength: 9_000 }),
    { maxKeys: 8 },
  ),
})
const timestamped = fc.tuple(record, fc.integer({ min: -3_600_000, max: 900_000_000_000 }))

const write = (records: readonly (readonly [OutgoingRecord, number])[], writer = new RecordBatchWriter()) => {
  writer.reset()
  for (const [each, delta] of records) writer.append(each, FIRST + delta)
  return writer
}

describe('A record batch', () => {
  it('is byte for byte what Kafka writes', () => {
    const writer = write([
      [
        {
          topic: 't',
          key: 'clé 😀',
          value: Buffer.from([0, 0, 0, 0, 7, 255]),
          headers: { ce_id: 'x/1', empty: '' },
        },
        0,
      ],
      [{ topic: 't', key: '', value: Buffer.alloc(0), headers: {} }, -1],
      [{ topic: 't', key: 'k'.repeat(70), value: Buffer.alloc(100, 9), headers: { ce_id: 'x/2' } }, 63_528],
    ])
    expect(writer.seal(attributes).toString('hex')).toBe(BATCH_OF_KAFKA)
  })

  it('is byte for byte what kafkajs writes, for any records', async () => {
    const writer = new RecordBatchWriter()
    await fc.assert(
      fc.asyncProperty(fc.array(timestamped, { minLength: 1, maxLength: 20 }), async (records) => {
        const base = records[0]![1]
        const theirs = await RecordBatch({
          ...constants,
          lastOffsetDelta: records.length - 1,
          firstTimestamp: FIRST + base,
          maxTimestamp: FIRST + Math.max(...records.map(([, delta]) => delta)),
          records: records.map(([{ key, value, headers }, delta], offsetDelta) =>
            encodeRecord({ key, value, headers, offsetDelta, timestampDelta: delta - base }),
          ),
        })
        const ours = write(records, writer).seal(attributes)
        expect(ours.equals(theirs.buffer)).toBe(true)
      }),
      { numRuns: 60 },
    )
  })

  it.each(['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const)(
    'is read by kafkajs with compression %s',
    async (name) => {
      const compressor = createCompressor(name)
      const writer = new RecordBatchWriter()
      await fc.assert(
        fc.asyncProperty(fc.array(timestamped, { minLength: 1, maxLength: 10 }), async (records) => {
          write(records, writer)
          const compressed = await compressor.compress?.(writer.records)
          const sealed = writer.seal({ ...attributes, compressionType: compressor.type }, compressed)
          const decoder = new Decoder(Buffer.from(sealed)) as { readInt64(): unknown }
          const decoded = await decodeBatch(decoder)
          expect(decoded).toMatchObject({
            inTransaction: true,
            producerId: '4000000000',
            producerEpoch: 7,
            firstSequence: 41,
            maxTimestamp: String(FIRST + Math.max(...records.map(([, delta]) => delta))),
          })
          expect(decoded.records).toHaveLength(records.length)
          for (const [index, [expected, delta]] of records.entries()) {
            const found = decoded.records[index]!
            expect(found.key.toString()).toBe(expected.key)
            expect(found.value.equals(expected.value)).toBe(true)
            expect(found.timestamp).toBe(String(FIRST + delta))
            expect(found.offset).toBe(String(index))
            expect(Object.keys(found.headers).sort()).toEqual(Object.keys(expected.headers).sort())
            for (const [header, value] of Object.entries(expected.headers)) {
              expect(found.headers[header]!.toString()).toBe(value)
            }
          }
        }),
        { numRuns: 25 },
      )
    },
  )

  it('is the same without a record that was taken back', () => {
    fc.assert(
      fc.property(fc.array(timestamped, { minLength: 1, maxLength: 5 }), timestamped, (records, extra) => {
        const expected = Buffer.from(write(records).seal(attributes))
        const writer = write(records)
        writer.append(extra[0], FIRST + extra[1])
        writer.removeLast()
        expect(writer.seal(attributes).equals(expected)).toBe(true)
      }),
      { numRuns: 60 },
    )
  })

  it('takes no more bytes for a record than maxEncodedBytes returns', () => {
    const few: OutgoingRecord = { topic: 't', key: 'k', value: Buffer.from('v'), headers: {} }
    fc.assert(
      fc.property(record, fc.integer({ min: 0, max: 900_000 }), (each, delta) => {
        const writer = write([[few, 0]])
        const before = writer.length
        writer.append(each, FIRST + delta)
        expect(writer.length - before).toBeLessThanOrEqual(maxEncodedBytes(each))
      }),
    )
  })

  it('of the largest size holds a record of the largest size', () => {
    const maxBatchBytes = 900 * 1024
    const rest = { topic: 't', key: 'k', headers: { ce_id: 'x' } }
    const overhead = maxEncodedBytes({ ...rest, value: Buffer.alloc(0) })
    const largest = { ...rest, value: Buffer.alloc(maxRecordBytes(maxBatchBytes) - overhead) }
    const sealed = write([[largest, 0]]).seal(attributes)
    expect(sealed.length).toBeLessThanOrEqual(maxBatchBytes)
    expect(sealed.length).toBeGreaterThan(maxBatchBytes - 100)
    expect(new RecordBatchWriter().length).toBe(BATCH_HEADER_BYTES)
  })
})
