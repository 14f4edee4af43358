import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { maxRecordBytes, maxEncodedBytes } from '../../src/kafka/record-batch.js'
import type { Event } from '../../src/core/event.js'
import type { AvroEncoder } from '../../src/encode/avro-encoder.js'
import type { Origin } from '../../src/encode/encoder.js'
import type { OutgoingRecord } from '../../src/kafka/publisher.js'
import { deadLetter, message, receipt } from '../support/events.js'
import { hashNumber } from '../../src/masking/record-fields.js'
import { findDataLosses } from '../../src/registry/data-loss.js'
import { loadSchemas, parseSchema } from '../../src/registry/schemas.js'
import { decodeRecord, IDS, MAX_BATCH, createEncoder, PLAIN_CONTENTS, TOPICS } from './support.js'

const origin: Origin = {
  body: Buffer.from('{"Status":"3"}'),
  facts: { method: 'POST', path: '/notification', query: 'a=b', 'content-type': 'application/json', status: '200' },
}

const encodeWith = (encoder: AvroEncoder, event: Event, from: Origin) => encoder.encode(event, from).records

/** The fields of an event's record. It has no `kind`, because each kind has its own schema. */
const fieldsOf = (event: Event): object => Object.fromEntries(Object.entries(event).filter(([name]) => name !== 'kind'))

const lengthOf = (text: string): string => `(${text.length} characters)`

/** Returns undefined for a text that is no Avro schema, because a name is defined twice in it. */
const parsed = (text: string): ReturnType<typeof parseSchema> | undefined => {
  try {
    return parseSchema(text)
  } catch {
    return undefined
  }
}

describe('AvroEncoder', () => {
  it('encodes a delivery receipt with all its fields, with the message id as key', async () => {
    const event = receipt()
    const [record, ...more] = encodeWith(await createEncoder(), event, origin)
    expect(more).toEqual([])
    expect(record).toMatchObject({ topic: TOPICS.dlr, key: event.messageId })
    expect(decodeRecord(record!)).toEqual({ id: IDS.dlr, fields: fieldsOf(event) })
  })

  it('encodes an inbound message with all its fields, with the sender as key', async () => {
    const event = message({ text: `${'ä'.repeat(1499)}😀` })
    const [record] = encodeWith(await createEncoder(), event, origin)
    expect(record).toMatchObject({ topic: TOPICS.mo, key: event.sender })
    expect(decodeRecord(record!)).toEqual({ id: IDS.mo, fields: fieldsOf(event) })
  })

  it('encodes a dead letter with all its fields, with the source as key', async () => {
    const event = deadLetter()
    const [record] = encodeWith(await createEncoder(), event, origin)
    expect(record).toMatchObject({ topic: TOPICS['dead-letter'], key: event.source })
    expect(decodeRecord(record!)).toEqual({ id: IDS['dead-letter'], fields: { ...fieldsOf(event), part: 0, parts: 1 } })
  })

  it('writes the defaults of fields that only the registered schema has, whatever they are called', async () => {
    const ours = JSON.parse(loadSchemas().dlr.text) as { fields: object[] }
    const added = ['kind', 'constructor', 'toString', 'tenant'].map((name) => ({
      name,
      type: ['null', 'long'],
      default: null,
    }))
    const registered = JSON.stringify({ ...ours, fields: [...added, ...ours.fields] })
    const encoder = await createEncoder(MAX_BATCH, PLAIN_CONTENTS, { dlr: registered })
    const event = receipt()
    const [record] = encodeWith(encoder, event, origin)
    expect(record).toMatchObject({ topic: TOPICS.dlr })
    const decoded = parseSchema(registered).fromBuffer(record!.value.subarray(5)) as object
    const defaults = { kind: null, constructor: null, toString: null, tenant: null }
    expect({ ...decoded }).toEqual({ ...fieldsOf(event), ...defaults })
  })

  it('writes every receipt unchanged with each changed schema in which no data loss is found', async () => {
    interface Schema {
      fields: { name: string; type: unknown; default?: unknown }[]
    }
    const ours = loadSchemas().dlr.text
    const { fields: ourFields } = JSON.parse(ours) as Schema
    const types: unknown[] = [
      ...['null', 'boolean', 'int', 'long', 'float', 'double', 'string', 'bytes'],
      ...ourFields.map(({ type }) => type),
      { type: 'long', logicalType: 'timestamp-micros' },
      { type: 'map', values: 'bytes' },
      { type: 'array', items: 'string' },
      { type: 'enum', name: 'Other', symbols: ['PULL', 'DELIVERED'] },
    ]
    const type = fc.oneof(
      fc.constantFrom(...types),
      fc.uniqueArray(fc.constantFrom('null', 'boolean', 'int', 'long', 'double', 'string'), {
        minLength: 2,
        maxLength: 4,
      }),
    )
    const changes = fc.array(
      fc.record({ index: fc.nat(ourFields.length - 1), name: fc.constantFrom('', 'kind', 'toString', 'tenant'), type }),
      { minLength: 1, maxLength: 2 },
    )
    const event = receipt({ occurredAt: 1_700_000_000_000, part: null, segments: 3 })
    const seen = { written: 0, refused: 0 }
    await fc.assert(
      fc.asyncProperty(changes, fc.boolean(), async (given, isReversed) => {
        const schema = JSON.parse(ours) as Schema
        for (const change of given) {
          const nullable = { name: change.name, type: ['null', 'long'], default: null }
          const isNew = change.name !== '' && schema.fields.every(({ name }) => name !== change.name)
          if (isNew) schema.fields.splice(change.index, 0, nullable)
          else schema.fields[change.index] = { name: schema.fields[change.index]!.name, type: change.type }
        }
        if (isReversed) schema.fields.reverse()
        const registered = JSON.stringify(schema)
        const type = parsed(registered)
        fc.pre(type !== undefined)
        if (findDataLosses(ours, registered).length > 0) return void seen.refused++
        seen.written++
        const encoder = await createEncoder(MAX_BATCH, PLAIN_CONTENTS, { dlr: registered })
        const [record] = encodeWith(encoder, event, origin)
        expect(record!.topic).toBe(TOPICS.dlr)
        expect(type.fromBuffer(record!.value.subarray(5))).toMatchObject(fieldsOf(event))
      }),
      { numRuns: 300 },
    )
    expect(seen.written).toBeGreaterThan(10)
    expect(seen.refused).toBeGreaterThan(10)
  })

  it('masks or leaves out raw and text as it is told, and changes no other field, key or header', async () => {
    const mode = fc.constantFrom('plain' as const, 'masked' as const, 'omitted' as const)
    const contents = fc.record({ dlr: fc.record({ raw: mode }), mo: fc.record({ raw: mode, text: mode }) })
    // The reader of this test can't hold that name; another test looks at its bytes.
    const name = fc.string().filter((each) => each !== '__proto__')
    const raw = fc.dictionary(name, fc.string({ unit: 'grapheme' }))
    const plainEncoder = await createEncoder()
    const isShort = ({ value }: OutgoingRecord): boolean => value.length < MAX_BATCH
    await fc.assert(
      fc.asyncProperty(contents, raw, fc.string({ unit: 'grapheme' }), async (given, fields, text) => {
        const encoder = await createEncoder(MAX_BATCH, given)
        for (const event of [receipt({ raw: fields }), message({ raw: fields, text })]) {
          const [record] = encodeWith(encoder, event, origin)
          const [plain] = encodeWith(plainEncoder, event, origin)
          expect(isShort(record!)).toBe(true)
          expect({ ...record, value: null }).toEqual({ ...plain, value: null })
          const { raw: shownRaw, text: shownText, ...shown } = decodeRecord(record!).fields
          expect(decodeRecord(plain!).fields).toMatchObject(shown)
          expect(Object.keys(shown)).toHaveLength(
            Object.keys(decodeRecord(plain!).fields).length - (event.kind === 'mo' ? 2 : 1),
          )
          const rawMode = event.kind === 'dlr' ? given.dlr.raw : given.mo.raw
          const values = Object.fromEntries(Object.entries(fields).map(([name, each]) => [name, lengthOf(each)]))
          expect(shownRaw).toEqual({ plain: fields, masked: values, omitted: {} }[rawMode])
          if (event.kind !== 'mo') continue
          expect(shownText).toBe({ plain: text, masked: lengthOf(text), omitted: '' }[given.mo.text])
        }
      }),
    )
  })

  it('takes a hash of the sender as key, the same in another process with the secret, and holds it nowhere else', async () => {
    const keySecret = 's'.repeat(32)
    const contents = {
      dlr: { raw: 'plain' as const },
      mo: { raw: 'omitted' as const, text: 'omitted' as const, keySecret },
    }
    const encoders = [await createEncoder(MAX_BATCH, contents), await createEncoder(MAX_BATCH, contents)]
    const event = message({ sender: '+33612345678' })
    const keys = encoders.map((encoder) => {
      const [record] = encodeWith(encoder, event, origin)
      expect(JSON.stringify(record!.headers)).not.toContain('33612345678')
      return record!.key
    })
    expect(keys).toEqual([hashNumber('+33612345678', keySecret), hashNumber('+33612345678', keySecret)])
    expect(keys[0]).toMatch(/^[0-9a-f]{32}$/)
    expect(hashNumber('+33612345678', 't'.repeat(32))).not.toBe(keys[0])
    expect(hashNumber('+33612345679', keySecret)).not.toBe(keys[0])
    expect(encodeWith(encoders[0]!, receipt(), origin)[0]!.key).toBe(receipt().messageId)
  })

  it('adds the traceparent of its origin to each record that has room for it, and changes nothing else', async () => {
    const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'
    const smallBatch = 4 * 1024
    const encoder = await createEncoder(smallBatch)
    const roomFor = maxRecordBytes(smallBatch)
    let traced = 0
    let withoutRoom = 0
    fc.assert(
      fc.property(fc.integer({ min: 2_500, max: 4_200 }), fc.boolean(), (length, isDeadLetter) => {
        const event = isDeadLetter
          ? deadLetter({ body: Buffer.alloc(length) })
          : message({ text: 'x'.repeat(length), raw: {} })
        const plain = encodeWith(encoder, event, origin)
        const records = encodeWith(encoder, event, { ...origin, traceparent })
        expect(records.map(({ value }) => value)).toEqual(plain.map(({ value }) => value))
        for (const [index, record] of records.entries()) {
          const { headers } = plain[index]!
          const hasRoom = maxEncodedBytes({ ...record, headers: { ...headers, traceparent } }) <= roomFor
          expect(record.headers).toEqual(hasRoom ? { ...headers, traceparent } : headers)
          if (hasRoom) traced++
          else withoutRoom++
        }
      }),
      { numRuns: 300 },
    )
    expect(traced).toBeGreaterThan(0)
    expect(withoutRoom).toBeGreaterThan(0)
  })

  it('gives each kind of record the time at which it was received as its timestamp', async () => {
    const encoder = await createEncoder()
    for (const event of [receipt({ receivedAt: 7 }), message({ receivedAt: 7 }), deadLetter({ receivedAt: 7 })]) {
      expect(encodeWith(encoder, event, origin)[0]!.timestamp).toBe(7)
    }
  })

  it('adds CloudEvents headers to each kind of record', async () => {
    const encoder = await createEncoder()
    const headersOf = async (event: Parameters<typeof encoder.encode>[0]) =>
      encodeWith(encoder, event, origin)[0]!.headers
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

  it('leaves the values of earlier records as they were, whatever the sizes of later ones', async () => {
    const encoder = await createEncoder()
    const textLength = fc.oneof(fc.nat(2_000), fc.integer({ min: 100_000, max: 300_000 }))
    fc.assert(
      fc.property(fc.array(textLength, { minLength: 1, maxLength: 12 }), (lengths) => {
        const texts = lengths.map((length, index) => String.fromCharCode(97 + index).repeat(length))
        const records = texts.flatMap((text) => encodeWith(encoder, message({ text }), origin))
        expect(records.map((record) => decodeRecord(record).fields['text'] === texts.shift())).toEqual(
          lengths.map(() => true),
        )
      }),
    )
  })

  it('encodes a raw field with the name __proto__', async () => {
    const raw = JSON.parse('{"__proto__":"sent by somebody"}') as Record<string, string>
    const [record] = encodeWith(await createEncoder(), message({ raw }), origin)
    // avsc can't decode this key. A map of one entry is its count, key, value and an end mark, and four null fields follow.
    const last = Buffer.concat([
      Buffer.from([2, 18]),
      Buffer.from('__proto__'),
      Buffer.from([32]),
      Buffer.from('sent by somebody\0'),
      Buffer.alloc(4),
    ])
    expect(record!.value.subarray(-last.length).equals(last)).toBe(true)
  })

  it('encodes any text and any raw fields', async () => {
    const encoder = await createEncoder()
    await fc.assert(
      fc.asyncProperty(
        fc.string({ unit: 'grapheme', maxLength: 200 }),
        fc.dictionary(
          fc.string().filter((name) => name !== '__proto__'),
          fc.string({ unit: 'grapheme', maxLength: 40 }),
          { maxKeys: 5 },
        ),
        async (text, raw) => {
          const [record] = encodeWith(encoder, message({ text, raw }), origin)
          expect(decodeRecord(record!).fields).toMatchObject({ text })
          expect(Object.entries(decodeRecord(record!).fields['raw'] as object).sort()).toEqual(
            Object.entries(raw).sort(),
          )
        },
      ),
      { numRuns: 40 },
    )
  })

  it('encodes a dead letter with the original bytes if the schema can not hold the event', async () => {
    const [record] = encodeWith(await createEncoder(), receipt({ status: 'ODD' as 'UNKNOWN' }), origin)
    expect(record).toMatchObject({ topic: TOPICS['dead-letter'] })
    expect(decodeRecord(record!).fields).toMatchObject({
      reason: 'not-encodable',
      body: origin.body,
      request: origin.facts,
    })
  })
})

describe('AvroEncoder with an event that is too large for the broker', () => {
  it('encodes a dead letter with the original bytes and the facts of the request', async () => {
    const event = message({ text: 'x'.repeat(MAX_BATCH) })
    const records = encodeWith(await createEncoder(), event, origin)
    expect(records).toHaveLength(1)
    expect(records[0]).toMatchObject({ topic: TOPICS['dead-letter'], key: event.source })
    const { fields } = decodeRecord(records[0]!)
    expect(fields).toMatchObject({
      eventId: event.eventId,
      reason: 'too-large',
      body: origin.body,
      request: origin.facts,
      via: event.via,
    })
    expect(fields['detail']).toMatch(/the inbound message takes \d+ bytes as a record, 921539 fit/)
  })

  it('encodes the event itself up to the exact limit', async () => {
    const encoder = await createEncoder()
    const overhead = maxEncodedBytes(encodeWith(encoder, message({ text: '', raw: {} }), origin)[0]!)
    const largest = maxRecordBytes(MAX_BATCH) - overhead - 2 // the length prefix of the text takes three bytes then, not one
    expect(encodeWith(encoder, message({ text: 'x'.repeat(largest), raw: {} }), origin)[0]).toMatchObject({
      topic: TOPICS.mo,
    })
    expect(encodeWith(encoder, message({ text: 'x'.repeat(largest + 1), raw: {} }), origin)[0]).toMatchObject({
      topic: TOPICS['dead-letter'],
    })
  })

  it('encodes a dead letter if the key alone is too large', async () => {
    const records = encodeWith(await createEncoder(), receipt({ messageId: 'x'.repeat(MAX_BATCH) }), origin)
    expect(records[0]).toMatchObject({ topic: TOPICS['dead-letter'], key: 'mtarget-fr' })
  })
})

const joined = (records: readonly OutgoingRecord[]): Buffer =>
  Buffer.concat(records.map((each) => decodeRecord(each).fields['body'] as Buffer))

describe('AvroEncoder with a long dead letter', () => {
  it('splits it into numbered parts of 512 KiB with the same key and event id', async () => {
    const body = Buffer.alloc(1_300_000, 'abc')
    const records = encodeWith(await createEncoder(), deadLetter({ body }), origin)
    expect(records.map((each) => decodeRecord(each).fields)).toMatchObject([
      { eventId: 'journal-1-0', part: 0, parts: 3 },
      { eventId: 'journal-1-0', part: 1, parts: 3 },
      { eventId: 'journal-1-0', part: 2, parts: 3 },
    ])
    expect(records.map(({ headers }) => headers['ce_id'])).toEqual(['journal-1-0', 'journal-1-0/1', 'journal-1-0/2'])
    expect(new Set(records.map(({ key }) => key))).toEqual(new Set(['mtarget-fr']))
    expect((decodeRecord(records[0]!).fields['body'] as Buffer).length).toBe(512 * 1024)
    expect(joined(records).equals(body)).toBe(true)
  })

  it('encodes one part for a body of exactly 512 KiB, and for an empty body', async () => {
    const encoder = await createEncoder()
    expect(encodeWith(encoder, deadLetter({ body: Buffer.alloc(512 * 1024) }), origin)).toHaveLength(1)
    expect(encodeWith(encoder, deadLetter({ body: Buffer.alloc(512 * 1024 + 1) }), origin)).toHaveLength(2)
    expect(encodeWith(encoder, deadLetter({ body: new Uint8Array() }), origin)).toHaveLength(1)
  })

  it('splits it so that every part fits into a batch of any configured size, whatever the request facts', async () => {
    const long = fc.integer({ min: 0, max: 64 * 1024 }).map((length) => 'q'.repeat(length))
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 0, max: 700_000 }),
        fc.integer({ min: 20_000, max: 400_000 }),
        long,
        async (size, maxBatch, query) => {
          const encoder = await createEncoder(maxBatch)
          const body = Buffer.alloc(size, 'abcdefg')
          const records = encodeWith(encoder, deadLetter({ body, request: { method: 'GET', query } }), origin)
          for (const record of records) expect(maxEncodedBytes(record)).toBeLessThanOrEqual(maxRecordBytes(maxBatch))
          expect(joined(records).equals(body)).toBe(true)
        },
      ),
      { numRuns: 40 },
    )
  })

  it('shortens request facts that would fill the record, and marks them as shortened', async () => {
    const encoder = await createEncoder(16 * 1024)
    const [record] = encodeWith(encoder, deadLetter({ request: { method: 'GET', query: 'q'.repeat(60_000) } }), origin)
    const { request } = decodeRecord(record!).fields as { request: Record<string, string> }
    expect(request).toMatchObject({ method: 'GET', query: `${'q'.repeat(1024)}… (cut, 60000 characters)` })
  })
})
