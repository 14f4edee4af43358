import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { RecordDecoder, type TailRecord } from '../../src/commands/record-decoder.js'
import { presentRecord, toJsonLine, toTextLine } from '../../src/commands/record-format.js'
import type { Event } from '../../src/core/event.js'
import { CloudEventsHeaders } from '../../src/encode/cloudevents-headers.js'
import { type EventKind, loadSchemas } from '../../src/registry/schemas.js'
import { deadLetter, message, receipt } from '../support/events.js'

const schemas = loadSchemas()
const KINDS = new Map<string, EventKind>([
  ['t.dlr', 'dlr'],
  ['t.mo', 'mo'],
  ['t.dead-letter', 'dead-letter'],
])

/** A decoder whose registry holds one schema with id 7. */
const decoderOf = (schema: string | undefined): RecordDecoder =>
  new RecordDecoder(
    { url: 'http://registry', getSchema: (id) => Promise.resolve(id === 7 ? schema : undefined) },
    KINDS,
  )

const stored = (event: Event & { part?: unknown; parts?: number }, key: string, id = 7) => {
  const { kind, ...fields } = event
  const header = Buffer.alloc(5)
  header.writeUInt32BE(id, 1)
  return {
    topic: `t.${kind}`,
    partition: 3,
    offset: 42,
    timestamp: event.receivedAt + 1_000,
    key: Buffer.from(key),
    value: Buffer.concat([header, schemas[kind].type.toBuffer(fields)]),
    headers: new CloudEventsHeaders().of(event, event.eventId),
  }
}

const decode = (event: Event & { part?: unknown; parts?: number }, key: string): Promise<TailRecord> =>
  decoderOf(schemas[event.kind].text).decode(stored(event, key))

const letter = {
  ...deadLetter({ body: Buffer.from('to=+33612345678&text=hello'), detail: 'no text from +33612345678' }),
  part: 0,
  parts: 1,
}

const line = async (record: Promise<TailRecord>, personalData: 'masked' | 'plain' = 'masked'): Promise<string> =>
  toTextLine(presentRecord(await record, personalData), personalData)

describe('A record as a line of text', () => {
  it('tells of a receipt what was reported about which message', async () => {
    expect(await line(decode(receipt(), 'ticket-1'))).toBe(
      '2026-01-15T12:00:00.007Z dlr         mtarget-fr DELIVERED message=ticket-1 to=+336*****678 ' +
        'event=0123456789abcdef0123456789abcdef at=t.dlr/3/42',
    )
  })

  it('tells of an inbound message who wrote, and the text only in plain', async () => {
    const record = decode(message({ part: { reference: 'r', number: 2, total: 3 } }), '+491771783130')
    expect(await line(record)).toBe(
      '2026-01-15T12:00:00.007Z mo          seven-main from=+491******130 to=+491*******212 text="(20 characters)" ' +
        'part=2/3 event=fedcba9876543210fedcba9876543210 at=t.mo/3/42',
    )
    expect(await line(record, 'plain')).toContain('from=+491771783130 to=+4917612121212 text="STOP “now” 😀\\nplease"')
  })

  it('tells of a dead letter why, and its body only in plain, as text or as hexadecimal digits', async () => {
    const masked = await line(decode(letter, 'mtarget-fr'))
    expect(masked).toContain(
      'mtarget-fr not-a-page detail="no text from +336*****678" body="(26 bytes)" event=journal-1-0',
    )
    expect(await line(decode(letter, 'mtarget-fr'), 'plain')).toContain('body="to=+33612345678&text=hello"')
    expect(await line(decode({ ...letter, body: Buffer.from([0xff, 0]) }, 'k'), 'plain')).toContain('body="ff00"')
    expect(await line(decode({ ...letter, part: 1, parts: 3 }, 'k'))).toContain('not-a-page part=2/3 ')
  })

  it('is one line without control characters, whatever a provider sends', async () => {
    const hostile = fc.string({ unit: 'binary' })
    await fc.assert(
      fc.asyncProperty(hostile, hostile, async (text, sender) => {
        const shown = await line(
          decode(message({ text: text.toWellFormed(), sender: sender.toWellFormed() }), sender),
          'plain',
        )
        // eslint-disable-next-line no-control-regex
        expect(shown).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/)
      }),
    )
    expect(await line(decode(message({ text: '\u001b[2J\u202e' }), 'k'), 'plain')).toContain('text="\\u001b[2J\\u202e"')
  })

  it('says why a record could not be decoded', async () => {
    const unknownId = decoderOf(undefined).decode(stored(receipt(), 'ticket-1'))
    expect(await line(unknownId)).toBe(
      "2026-01-15T12:00:01.007Z dlr         mtarget-fr key=ticket-1 can't be decoded: the registry at http://registry has " +
        'no schema with id 7, which the record was written with event=0123456789abcdef0123456789abcdef at=t.dlr/3/42',
    )
  })
})

describe('RecordDecoder', () => {
  it.each([
    ['no JSON', 'no schema', /schema with id 7 can't be read as Avro/],
    ['a schema that is no record', '"string"', /does not fit schema string with id 7/],
    ['another schema', schemas['dead-letter'].text, /does not fit schema sms.events.DeadLetter with id 7/],
  ])('says what is wrong if the registry returns %s', async (_name, schema, problem) => {
    const record = await decoderOf(schema).decode(stored(receipt(), 'ticket-1'))
    expect(record.problem).toMatch(problem)
    expect(record).not.toHaveProperty('value')
  })

  it('asks the registry once for each id', async () => {
    const asked: number[] = []
    const registry = {
      url: 'http://registry',
      getSchema: (id: number) => Promise.resolve((asked.push(id), schemas.dlr.text)),
    }
    const decoder = new RecordDecoder(registry, KINDS)
    for (let time = 0; time < 3; time++) await decoder.decode(stored(receipt(), 'ticket-1'))
    await decoder.decode(stored(receipt(), 'ticket-1', 8))
    expect(asked).toEqual([7, 8])
  })
})

describe('A record as JSON', () => {
  it('has place, key, headers, schema and every field, with bytes in Base64', async () => {
    const record = await decode(letter, 'mtarget-fr')
    expect(JSON.parse(toJsonLine(presentRecord(record, 'plain')))).toEqual({
      topic: 't.dead-letter',
      partition: 3,
      offset: 42,
      timestamp: letter.receivedAt + 1_000,
      key: 'mtarget-fr',
      headers: record.headers,
      schemaId: 7,
      schema: 'sms.events.DeadLetter',
      value: (({ kind: _kind, ...fields }) => ({ ...fields, body: Buffer.from(letter.body).toString('base64') }))(
        letter,
      ),
    })
  })

  it('shows no phone number and no text if personal data is masked, in any field of any kind', async () => {
    const number = '+33612345678'
    const secret = 'words of a person'
    const raw = { Msisdn: '0033612345678', Content: secret }
    const request = { method: 'GET', path: '/callbacks/mtarget-fr', query: 'Content=words+of+a+person' }
    const records = [
      decode(
        receipt({
          recipient: number,
          sender: number,
          providerStatusText: `to ${number}`,
          clientReference: secret,
          raw,
        }),
        'k',
      ),
      decode(message({ sender: number, recipient: number, text: secret, keyword: secret, raw }), number),
      decode({ ...letter, detail: `from ${number}`, request, body: Buffer.from(secret) }, 'k'),
    ]
    for (const record of await Promise.all(records)) {
      const text = toJsonLine(presentRecord(record, 'masked'))
      expect(text).not.toMatch(/612345678/)
      expect(text).not.toContain(secret)
      expect(text).not.toContain('words+of')
      expect(text).not.toContain(Buffer.from(secret).toString('base64'))
    }
  })

  it('masks fields and headers that it does not know, of a later version or of another producer', async () => {
    const schema = JSON.parse(schemas.dlr.text) as { fields: object[] }
    schema.fields = [
      { name: 'eventId', type: 'string' },
      { name: 'phone', type: 'long' },
      { name: 'nested', type: { type: 'map', values: { type: 'array', items: 'string' } } },
    ]
    const { parseSchema } = await import('../../src/registry/schemas.js')
    const text = JSON.stringify(schema)
    const value = parseSchema(text).toBuffer({ eventId: 'e', phone: 33612345678, nested: { a: ['secret'] } })
    const record = await decoderOf(text).decode({
      ...stored(receipt(), 'k'),
      value: Buffer.concat([Buffer.from([0, 0, 0, 0, 7]), value]),
      headers: { ce_id: 'e', user: 'Jo' },
    })
    expect(presentRecord(record, 'masked')).toMatchObject({
      headers: { ce_id: 'e', user: '(2 characters)' },
      value: { eventId: 'e', phone: '(a number)', nested: { a: ['(6 characters)'] } },
    })
  })
})
