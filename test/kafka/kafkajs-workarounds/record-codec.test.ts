import { createRequire } from 'node:module'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { registerWrappedCompression } from '../../../src/kafka/compression.js'
import type { OutgoingRecord } from '../../../src/kafka/publisher.js'
import { wrapRecord, unwrapRecords } from '../../../src/kafka/kafkajs-workarounds/record-codec.js'
import {
  BATCH_HEADER_BYTES,
  RECORD_FRAME_BYTES,
  maxRecordBytes,
  maxEncodedBytes,
} from '../../../src/kafka/send-batches.js'

// kafkajs's own encoder, with which the codec must agree byte for byte.
interface Encoded {
  readonly buffer: Buffer
}
const require = createRequire(import.meta.url)
const encodeRecord = require('kafkajs/src/protocol/recordBatch/record/v0') as (record: object) => Encoded
const { RecordBatch } = require('kafkajs/src/protocol/recordBatch/v0') as {
  RecordBatch: (batch: object) => Promise<Encoded>
}

const bytes = fc.uint8Array({ maxLength: 300 }).map((each) => Buffer.from(each))
const large = fc.integer({ min: 0, max: 70_000 }).map((length) => Buffer.alloc(length, 7))
const record: fc.Arbitrary<OutgoingRecord> = fc.record({
  topic: fc.constant('topic'),
  key: fc.string({ unit: 'grapheme', maxLength: 80 }),
  value: fc.oneof(bytes, large),
  headers: fc.dictionary(
    fc.string({ unit: 'grapheme', maxLength: 20 }),
    fc.string({ unit: 'grapheme', maxLength: 9_000 }),
    { maxKeys: 8 },
  ),
})

const frame = (records: readonly object[]): object[] =>
  records.map((each, offsetDelta) => encodeRecord({ ...each, offsetDelta, timestampDelta: 0 }))
const wrapped = (records: readonly OutgoingRecord[]): object[] =>
  frame(records.map((each) => ({ key: null, value: wrapRecord(each) })))
const constants = {
  firstTimestamp: 1_700_000_000_000,
  maxTimestamp: 1_700_000_000_000,
  producerId: 7,
  transactional: true,
}

describe('The record codec', () => {
  it('produces the same batch as kafkajs does for keys, values and headers', async () => {
    const compression = registerWrappedCompression('none')
    await fc.assert(
      fc.asyncProperty(fc.array(record, { minLength: 1, maxLength: 20 }), async (records) => {
        const ours = await RecordBatch({ ...constants, records: wrapped(records), compression })
        const theirs = await RecordBatch({ ...constants, records: frame(records), compression: 0 })
        expect(ours.buffer.equals(theirs.buffer)).toBe(true)
      }),
      { numRuns: 60 },
    )
  })

  it('leaves the compression and its attribute in the batch to kafkajs', async () => {
    const records = [{ topic: 't', key: 'k', value: Buffer.from('v'), headers: { a: 'b' } }]
    const ours = await RecordBatch({
      ...constants,
      records: wrapped(records),
      compression: registerWrappedCompression('gzip'),
    })
    const theirs = await RecordBatch({ ...constants, records: frame(records), compression: 1 })
    expect(ours.buffer.equals(theirs.buffer)).toBe(true)
  })

  it('throws for records that are not wrapped', () => {
    const { buffer } = encodeRecord({
      key: 'k',
      value: Buffer.from('v'),
      headers: {},
      offsetDelta: 0,
      timestampDelta: 0,
    })
    expect(() => unwrapRecords(buffer)).toThrow('kafkajs encodes records in an unexpected way')
  })

  it('never takes more bytes than maxEncodedBytes returns', () => {
    fc.assert(
      fc.property(record, (each) => {
        const { buffer } = encodeRecord({ ...each, offsetDelta: 500_000, timestampDelta: 900_000 })
        expect(maxEncodedBytes(each)).toBeGreaterThanOrEqual(buffer.length)
        expect(RECORD_FRAME_BYTES + wrapRecord(each).length).toBeGreaterThanOrEqual(buffer.length)
        expect(maxEncodedBytes(each)).toBeGreaterThanOrEqual(RECORD_FRAME_BYTES + wrapRecord(each).length)
      }),
    )
  })

  it('fits a record of the largest size into a batch of the largest size', async () => {
    const maxBatchBytes = 900 * 1024
    const rest = { topic: 't', key: 'k', headers: { ce_id: 'x' } }
    const overhead = maxEncodedBytes({ ...rest, value: Buffer.alloc(0) })
    const largest = { ...rest, value: Buffer.alloc(maxRecordBytes(maxBatchBytes) - overhead) }
    const { buffer } = await RecordBatch({ ...constants, records: frame([largest]), compression: 0 })
    expect(buffer.length).toBeLessThanOrEqual(maxBatchBytes)
    expect(BATCH_HEADER_BYTES).toBe((await RecordBatch({ ...constants, records: [], compression: 0 })).buffer.length)
  })
})
