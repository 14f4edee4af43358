/** Which rows of Mtarget are receipts, inbound messages and account errors, in every form in which a row arrives. */
import fc from 'fast-check'
import { describe, expect, it, vi } from 'vitest'
import type { Received } from '../../src/core/received.js'
import type { Item } from '../../src/providers/provider.js'
import { decodeWith, providerNamed, received } from './support.js'

vi.setConfig({ testTimeout: 60_000 })

const decode = decodeWith('mtarget')
const { pull } = providerNamed('mtarget')
if (!pull) throw new Error('the provider mtarget has no pull protocol')

type Row = Readonly<Record<string, string>>

const multipart = (row: Row): string =>
  Object.entries(row)
    .map(([name, value]) => `--b\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`)
    .join('') + '--b--\r\n'

const FORM = 'application/x-www-form-urlencoded'
const urlencoded = (row: Row): string => new URLSearchParams(row).toString()

/** The same row in each form in which it can be received. */
const FORMS: Readonly<Record<string, (row: Row) => Received>> = {
  'a form': (row) => received('CALLBACK', urlencoded(row), { 'content-type': FORM }),
  'a query': (row) => received('CALLBACK', '', { method: 'GET', query: urlencoded(row) }),
  'a query and a form': (row) => {
    const entries = Object.entries(row)
    const half = Math.floor(entries.length / 2)
    const [query, body] = [entries.slice(0, half), entries.slice(half)].map((each) =>
      urlencoded(Object.fromEntries(each)),
    )
    return received('CALLBACK', body, { query: query!, 'content-type': FORM })
  },
  'a multipart form': (row) =>
    received('CALLBACK', multipart(row), { 'content-type': 'multipart/form-data; boundary=b' }),
  JSON: (row) => received('CALLBACK', JSON.stringify(row), { 'content-type': 'application/json' }),
  'rows of JSON': (row) => received('CALLBACK', JSON.stringify([row]), { 'content-type': 'application/json' }),
  'an answer of the queue': (row) => received('PULL', JSON.stringify({ results: [row] }), { status: '200' }),
}

const text = fc.string({ unit: 'grapheme', maxLength: 20 }).map((each) => each.replaceAll('\r', '\n'))
const handset = fc.constantFrom('33612345678', '+33612345678', '0033612345678', '36111')
/** A value that stands for an absent one. */
const absent = fc.constantFrom('', ' ', 'null')

/** Fields that receipts and inbound messages may both have, and some that neither is known to have. */
const common = fc.record(
  {
    MsgId: fc.constantFrom('foo', '12a7ee90-50ce'),
    DestinationAdress: handset,
    OriginatedAddress: handset,
    DeliveryDateTime: fc.constant('2026-01-01 12:00:00'),
    StatusText: fc.constantFrom('OK', 'MO'),
    Reason: text,
    code: fc.constantFrom('0', '3', '-12'),
    remoteid: fc.constant('order-7'),
    serviceid: fc.constant('4711'),
    Operator: text,
    msisdn: handset,
  },
  { requiredKeys: [] },
)
const partFields = fc.record({
  'msglong.id': fc.constantFrom('longmsg', '17'),
  'msglong.msgcount': fc.constantFrom('3', '5'),
  'msglong.msgref': fc.constantFrom('1', '2', '3'),
})
const messageFields = fc
  .tuple(
    fc.record({ Msisdn: handset, Content: text }),
    fc.record({ Keyword: fc.constantFrom('Default', 'Stop', 'JEU') }, { requiredKeys: [] }),
    fc.option(partFields, { nil: {} }),
  )
  .map((parts): Row => Object.assign({}, ...parts) as Row)

/** The same fields in any order. */
const shuffled = (row: fc.Arbitrary<Row>): fc.Arbitrary<Row> =>
  row.chain((each) => {
    const entries = Object.entries(each)
    return fc.shuffledSubarray(entries, { minLength: entries.length }).map((order): Row => Object.fromEntries(order))
  })

const only = (items: readonly Item[]): Item => {
  expect(items).toHaveLength(1)
  return items[0]!
}

describe.each(Object.entries(FORMS))('The decoder of Mtarget, for %s,', (_, send) => {
  const decodeRow = (row: Row): Item => {
    const request = send(row)
    const item = only(decode(request))
    if (request.via === 'PULL') expect(pull.inspect(request)).toEqual({ kind: 'page', rows: 1 })
    return item
  }

  it('reads a row with a handset and a text and without Status as a message, whatever else it has', () => {
    fc.assert(
      fc.property(shuffled(fc.tuple(common, messageFields).map(([a, b]) => ({ ...a, ...b }))), (row) => {
        const item = decodeRow(row)
        expect(item).toMatchObject({ kind: 'mo', text: row['Content'], keyword: row['Keyword'] ?? null, raw: row })
        expect(item).toMatchObject({ identity: null, optOut: row['Keyword'] === 'Stop' ? 'STOP' : null })
        expect(item).toMatchObject({
          part:
            row['msglong.id'] === undefined
              ? null
              : {
                  reference: row['msglong.id'],
                  number: Number(row['msglong.msgref']),
                  total: Number(row['msglong.msgcount']),
                },
        })
      }),
    )
  })

  it('reads the same row with an absent Status as the same message', () => {
    fc.assert(
      fc.property(common, messageFields, absent, (shared, row, Status) => {
        expect(decodeRow({ ...shared, ...row, Status })).toMatchObject({ kind: 'mo', text: row['Content'] })
      }),
    )
  })

  it('reads the same row with Status 5 as the same message', () => {
    fc.assert(
      fc.property(common, messageFields, (shared, row) => {
        const { body, ...without } = decodeRow({ ...shared, ...row })
        expect(decodeRow({ ...shared, ...row, Status: '5' })).toEqual({
          ...without,
          raw: { ...shared, ...row, Status: '5' },
          body: expect.any(body.constructor) as unknown,
        })
      }),
    )
  })

  it('reads the same row with any other Status as a receipt, or as a dead letter if it has no id', () => {
    const status = fc.oneof(fc.constantFrom('0', '1', '2', '3', '4', '6', '7', '50', '-5', 'five'))
    fc.assert(
      fc.property(common, messageFields, status, (shared, row, Status) => {
        const item = decodeRow({ ...shared, ...row, Status })
        if (shared.MsgId === undefined) expect(item).toMatchObject({ kind: 'dead-letter', reason: 'missing-id' })
        else expect(item).toMatchObject({ kind: 'dlr', messageId: shared.MsgId, providerStatus: Status })
      }),
    )
  })

  it.each([
    ['Msisdn', ['missing-sender', 'missing-status', 'not-a-report']],
    ['Content', ['missing-text']],
  ])('reads the same row without %s as a dead letter', (lacking, reasons) => {
    fc.assert(
      fc.property(common, messageFields, (shared, row) => {
        // With a code it would be an account error.
        const entries = Object.entries({ ...shared, ...row }).filter(([name]) => name !== lacking && name !== 'code')
        fc.pre(entries.length > 0)
        const item = decodeRow(Object.fromEntries(entries))
        expect(item.kind === 'dead-letter' && reasons.includes(item.reason)).toBe(true)
      }),
    )
  })
})

describe('The decoder of Mtarget', () => {
  const form = (body: string): Item => only(decode(received('CALLBACK', body, { 'content-type': FORM })))
  const row = (fields: object): Item =>
    only(decode(received('CALLBACK', JSON.stringify(fields), { 'content-type': 'application/json' })))
  const MESSAGE = { Msisdn: '33612345678', Content: 'Oui' }

  it.each([
    ['another case', 'msisdn=33612345678&content=Oui'],
    ['the handset in another case', 'msisdn=33612345678&Content=Oui&MsgId=1'],
    ['the text in another case', 'Msisdn=33612345678&CONTENT=Oui'],
    ['a handset that is empty', 'Msisdn=&Content=Oui&MsgId=1'],
    ['a handset that is the text null', 'Msisdn=null&Content=Oui&MsgId=1'],
    ['only the other name of the sender', 'OriginatedAddress=33612345678&Content=Oui'],
  ])('does not guess that a row with %s is a message', (_, body) => {
    expect(form(body).kind).toBe('dead-letter')
  })

  it.each([
    ['handset', 'Msisdn=33612345678&Msisdn=33687654321&Content=Oui'],
    ['text', 'Msisdn=33612345678&Content=Oui&Content=Non'],
    ['Status', 'Msisdn=33612345678&Content=Oui&Status=5&Status=3'],
    ['Status, once empty,', 'Msisdn=33612345678&Content=Oui&Status=&Status=3'],
  ])('does not choose between two values of the %s', (_, body) => {
    expect(form(body)).toMatchObject({ kind: 'dead-letter', reason: 'conflicting-fields' })
  })

  it('does not choose between the values of query and body', () => {
    for (const query of ['Content=Non', 'Msisdn=33687654321']) {
      const request = received('CALLBACK', 'Msisdn=33612345678&Content=Oui', { query, 'content-type': FORM })
      expect(only(decode(request))).toMatchObject({ kind: 'dead-letter', reason: 'conflicting-fields' })
    }
    const same = received('CALLBACK', 'Msisdn=33612345678&Content=Oui', { query: 'Content=Oui', 'content-type': FORM })
    expect(only(decode(same))).toMatchObject({
      kind: 'mo',
      text: 'Oui',
      raw: { 'Content[0]': 'Oui', 'Content[1]': 'Oui' },
    })
  })

  it('reads a Status in the query with a message in the body as a receipt', () => {
    const request = received('CALLBACK', 'Msisdn=33612345678&Content=Oui&MsgId=1', {
      query: 'Status=3',
      'content-type': FORM,
    })
    expect(only(decode(request))).toMatchObject({ kind: 'dlr', status: 'DELIVERED' })
  })

  it.each([
    ['an object', { v: '3' }],
    ['a list', ['5']],
  ])('does not take a Status that is %s for none', (_, Status) => {
    expect(row({ ...MESSAGE, Status })).toMatchObject({ kind: 'dead-letter', reason: 'missing-status' })
  })

  it.each([[null], [''], [[]], [{}], ['null']])('takes the Status %j for none', (Status) => {
    expect(row({ ...MESSAGE, Status })).toMatchObject({ kind: 'mo', text: 'Oui' })
  })

  it('takes the sender from Msisdn, and from OriginatedAddress only without it', () => {
    const both = { ...MESSAGE, OriginatedAddress: '33687654321', Status: 5 }
    expect(row(both)).toMatchObject({ kind: 'mo', sender: '+33612345678' })
    expect(row({ ...both, Msisdn: 'null' })).toMatchObject({ kind: 'mo', sender: '+33687654321' })
  })

  it('takes the recipient of a message from DestinationAdress only', () => {
    const others = { DestinationAddress: '36112', Shortcode: '36113', msisdn: '36114' }
    expect(row({ ...MESSAGE, ...others })).toMatchObject({ kind: 'mo', recipient: null })
    expect(row({ ...MESSAGE, ...others, DestinationAdress: '36111' })).toMatchObject({ recipient: '36111' })
  })

  it.each(['1', '-12', 3])('never takes a message for an account error, whatever its code: %j', (code) => {
    for (const fields of [MESSAGE, { Msisdn: '33612345678' }, { Keyword: 'Stop' }, { 'msglong.id': '1' }]) {
      const page = received('PULL', JSON.stringify({ results: [{ ...fields, code, reason: 'no' }] }), { status: '200' })
      expect(pull.inspect(page)).toEqual({ kind: 'page', rows: 1 })
      expect(decode(page)).toHaveLength(1)
    }
  })

  it.each([
    ['Stop', 'STOP'],
    ['STOP', 'STOP'],
    ['stop', 'STOP'],
    ['Default', null],
    ['Start', null],
    ['HELP', null],
    ['Stop please', null],
  ])('reads the keyword %s as the opt-out %s', (Keyword, optOut) => {
    expect(row({ ...MESSAGE, Keyword })).toMatchObject({ kind: 'mo', keyword: Keyword, optOut })
  })

  it('has no keyword and no opt-out for two different keywords, and keeps both in raw', () => {
    const item = form('Msisdn=33612345678&Content=Oui&Keyword=Default&Keyword=Stop')
    expect(item).toMatchObject({ kind: 'mo', keyword: null, optOut: null, raw: { 'Keyword[1]': 'Stop' } })
  })

  it.each([
    ['a number that is not one', { 'msglong.msgref': 'first' }],
    ['a number below 1', { 'msglong.msgref': '0' }],
    ['a number above the total', { 'msglong.msgref': '4' }],
    ['a negative number', { 'msglong.msgref': '-1' }],
    ['a fraction', { 'msglong.msgref': '1.5' }],
    ['a total that no record can hold', { 'msglong.msgcount': '2147483648' }],
    ['a total of 0', { 'msglong.msgcount': '0' }],
    ['no number', { 'msglong.msgref': '' }],
    ['a total that is the text null', { 'msglong.msgcount': 'null' }],
    ['a reference that is the text null', { 'msglong.id': 'null' }],
  ])('publishes a part with %s as a message without a part, and keeps its fields in raw', (_, changed) => {
    const part = { 'msglong.id': 'x', 'msglong.msgcount': '3', 'msglong.msgref': '1', ...changed }
    expect(row({ ...MESSAGE, ...part })).toMatchObject({ kind: 'mo', part: null, raw: part })
  })

  it.each([
    ['JSON numbers', { 'msglong.id': 17, 'msglong.msgcount': 3, 'msglong.msgref': 2 }],
    ['an object', { msglong: { id: '17', msgcount: '3', msgref: '2' } }],
    ['leading zeros and white space', { 'msglong.id': '17', 'msglong.msgcount': '03', 'msglong.msgref': ' 2 ' }],
  ])('reads the part from %s', (_, part) => {
    expect(row({ ...MESSAGE, ...part })).toMatchObject({ part: { reference: '17', number: 2, total: 3 } })
  })

  it('gives every part an event of its own, also if all of its fields arrive twice', () => {
    const part = { ...MESSAGE, 'msglong.id': '17', 'msglong.msgcount': '3', 'msglong.msgref': '2', MsgId: 'foo' }
    const items = decode(received('PULL', JSON.stringify({ results: [part, part] }), { status: '200' }))
    expect(items).toMatchObject([
      { kind: 'mo', identity: null },
      { kind: 'mo', identity: null },
    ])
  })

  it.each([
    ['2', 2],
    [3, 3],
    ['0', null],
    ['many', null],
    ['null', null],
  ])('reads the segments of a receipt from smscount: %j', (smscount, segments) => {
    expect(row({ MsgId: '1', Status: '3', smscount })).toMatchObject({ kind: 'dlr', segments })
  })
})
