import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { maxRecordBytes, recordBytes } from '../../src/kafka/record-size.js'
import type { Event } from '../../src/core/event.js'
import type { Origin } from '../../src/encode/encoder.js'
import type { OutgoingRecord } from '../../src/kafka/publisher.js'
import { deadLetter, message, receipt } from '../support/events.js'
import { decode, IDS, MAX_BATCH, openEncoder, TOPICS } from './support.js'

const origin: Origin = {
  body: Buffer.from('{"Status":"3"}'),
  facts: { method: 'POST', path: '/notification', query: 'a=b', 'content-type': 'application/json', status: '200' },
}

const encodeWith = async (encoder: Awaited<ReturnType<typeof openEncoder>>, event: Event, from: Origin) =>
  (await encoder.encode(event, from)).records

/** What a record says of an event: all but what kind it is, which the schema says. */
const fieldsOf = (event: Event): object => Object.fromEntries(Object.entries(event).filter(([name]) => name !== 'kind'))

describe('an event as a record', () => {
  it('is a delivery receipt with all its fields, keyed by message', async () => {
    const event = receipt()
    const [record, ...more] = await encodeWith(await openEncoder(), event, origin)
    expect(more).toEqual([])
    expect(record).toMatchObject({ topic: TOPICS.dlr, key: event.messageId })
    expect(decode(record!)).toEqual({ id: IDS.dlr, fields: fieldsOf(event) })
  })

  it('is an inbound message with all its fields, keyed by handset', async () => {
    const event = message({ text: `${'ä'.repeat(1499)}😀` })
    const [record] = await encodeWith(await openEncoder(), event, origin)
    expect(record).toMatchObject({ topic: TOPICS.mo, key: event.sender })
    expect(decode(record!)).toEqual({ id: IDS.mo, fields: fieldsOf(event) })
  })

  it('is a dead letter with all its fields, keyed by source', async () => {
    const event = deadLetter()
    const [record] = await encodeWith(await openEncoder(), event, origin)
    expect(record).toMatchObject({ topic: TOPICS['dead-letter'], key: event.source })
    expect(decode(record!)).toEqual({ id: IDS['dead-letter'], fields: { ...fieldsOf(event), part: 0, parts: 1 } })
  })

  it('carries CloudEvents headers', async () => {
    const encoder = await openEncoder()
    const headersOf = async (event: Parameters<typeof encoder.encode>[0]) =>
      (await encodeWith(encoder, event, origin))[0]!.headers
    expect(await headersOf(receipt())).toEqual({
      ce_specversion: '1.0',
      ce_id: '0123456789abcdef0123456789abcdef',
      ce_source: '/mtarget/mtarget-fr',
      ce_type: 'sms.delivery-receipt.v1',
      ce_time: '2026-01-15T12:00:00.007Z',
      'content-type': 'application/avro',
    })
    expect(await headersOf(message())).toMatchObject({
      ce_type: 'sms.inbound-message.v1',
      ce_source: '/seven/seven-main',
    })
    expect(await headersOf(deadLetter())).toMatchObject({ ce_type: 'sms.dead-letter.v1', ce_id: 'journal-1-0' })
  })

  it('keeps a field that is called __proto__, which this reader would lose', async () => {
    const raw = JSON.parse('{"__proto__":"sent by somebody"}') as Record<string, string>
    const [record] = await encodeWith(await openEncoder(), message({ raw }), origin)
    // A map of one entry: count, key and value with their lengths, end; `raw` is the last field.
    const last = Buffer.concat([
      Buffer.from([2, 18]),
      Buffer.from('__proto__'),
      Buffer.from([32]),
      Buffer.from('sent by somebody\0'),
    ])
    expect(record!.value.subarray(-last.length).equals(last)).toBe(true)
  })

  it('survives whatever text a handset sends', async () => {
    const encoder = await openEncoder()
    await fc.assert(
      fc.asyncProperty(
        fc.string({ unit: 'grapheme', maxLength: 200 }),
        fc.dictionary(
          fc.string().filter((name) => name !== '__proto__'),
          fc.string({ unit: 'grapheme', maxLength: 40 }),
          { maxKeys: 5 },
        ),
        async (text, raw) => {
          const [record] = await encodeWith(encoder, message({ text, raw }), origin)
          expect(decode(record!).fields).toMatchObject({ text })
          expect(Object.entries(decode(record!).fields['raw'] as object).sort()).toEqual(Object.entries(raw).sort())
        },
      ),
      { numRuns: 40 },
    )
  })

  it('is a dead letter instead when its schema can not hold it, and its bytes are kept', async () => {
    const [record] = await encodeWith(await openEncoder(), receipt({ status: 'ODD' as 'UNKNOWN' }), origin)
    expect(record).toMatchObject({ topic: TOPICS['dead-letter'] })
    expect(decode(record!).fields).toMatchObject({ reason: 'not-encodable', body: origin.body, request: origin.facts })
  })
})

describe('an event that is too large for the broker', () => {
  it('becomes a dead letter with the bytes and the request that it came from', async () => {
    const event = message({ text: 'x'.repeat(MAX_BATCH) })
    const records = await encodeWith(await openEncoder(), event, origin)
    expect(records).toHaveLength(1)
    expect(records[0]).toMatchObject({ topic: TOPICS['dead-letter'], key: event.source })
    const { fields } = decode(records[0]!)
    expect(fields).toMatchObject({
      eventId: event.eventId,
      reason: 'too-large',
      body: origin.body,
      request: origin.facts,
      via: event.via,
    })
    expect(fields['detail']).toMatch(/the inbound message takes \d+ bytes as a record, 921539 fit/)
  })

  it('is told from one that just fits', async () => {
    const encoder = await openEncoder()
    const overhead = recordBytes((await encodeWith(encoder, message({ text: '', raw: {} }), origin))[0]!)
    const largest = maxRecordBytes(MAX_BATCH) - overhead - 2 // the text's own length takes three bytes then, not one
    expect((await encodeWith(encoder, message({ text: 'x'.repeat(largest), raw: {} }), origin))[0]).toMatchObject({
      topic: TOPICS.mo,
    })
    expect((await encodeWith(encoder, message({ text: 'x'.repeat(largest + 1), raw: {} }), origin))[0]).toMatchObject({
      topic: TOPICS['dead-letter'],
    })
  })

  it('may be so for its key alone', async () => {
    const records = await encodeWith(await openEncoder(), receipt({ messageId: 'x'.repeat(MAX_BATCH) }), origin)
    expect(records[0]).toMatchObject({ topic: TOPICS['dead-letter'], key: 'mtarget-fr' })
  })
})

const joined = (records: readonly OutgoingRecord[]): Buffer =>
  Buffer.concat(records.map((each) => decode(each).fields['body'] as Buffer))

describe('the parts of a dead letter', () => {
  it('have one key and event id, numbers of their own, and hold 512 KiB each', async () => {
    const body = Buffer.alloc(1_300_000, 'abc')
    const records = await encodeWith(await openEncoder(), deadLetter({ body }), origin)
    expect(records.map((each) => decode(each).fields)).toMatchObject([
      { eventId: 'journal-1-0', part: 0, parts: 3 },
      { eventId: 'journal-1-0', part: 1, parts: 3 },
      { eventId: 'journal-1-0', part: 2, parts: 3 },
    ])
    expect(records.map(({ headers }) => headers['ce_id'])).toEqual(['journal-1-0', 'journal-1-0/1', 'journal-1-0/2'])
    expect(new Set(records.map(({ key }) => key))).toEqual(new Set(['mtarget-fr']))
    expect((decode(records[0]!).fields['body'] as Buffer).length).toBe(512 * 1024)
    expect(joined(records).equals(body)).toBe(true)
  })

  it('are one for a body of exactly 512 KiB, and for none', async () => {
    const encoder = await openEncoder()
    expect(await encodeWith(encoder, deadLetter({ body: Buffer.alloc(512 * 1024) }), origin)).toHaveLength(1)
    expect(await encodeWith(encoder, deadLetter({ body: Buffer.alloc(512 * 1024 + 1) }), origin)).toHaveLength(2)
    expect(await encodeWith(encoder, deadLetter({ body: new Uint8Array() }), origin)).toHaveLength(1)
  })

  it('fit into the batches of any configuration and make up the body, whatever the facts', async () => {
    const long = fc.integer({ min: 0, max: 64 * 1024 }).map((length) => 'q'.repeat(length))
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 0, max: 700_000 }),
        fc.integer({ min: 20_000, max: 400_000 }),
        long,
        async (size, maxBatch, query) => {
          const encoder = await openEncoder(maxBatch)
          const body = Buffer.alloc(size, 'abcdefg')
          const records = await encodeWith(encoder, deadLetter({ body, request: { method: 'GET', query } }), origin)
          for (const record of records) expect(recordBytes(record)).toBeLessThanOrEqual(maxRecordBytes(maxBatch))
          expect(joined(records).equals(body)).toBe(true)
        },
      ),
      { numRuns: 40 },
    )
  })

  it('say where facts were cut because nothing else would fit', async () => {
    const encoder = await openEncoder(16 * 1024)
    const [record] = await encodeWith(
      encoder,
      deadLetter({ request: { method: 'GET', query: 'q'.repeat(60_000) } }),
      origin,
    )
    const { request } = decode(record!).fields as { request: Record<string, string> }
    expect(request).toMatchObject({ method: 'GET', query: `${'q'.repeat(1024)}… (cut, 60000 characters)` })
  })
})
