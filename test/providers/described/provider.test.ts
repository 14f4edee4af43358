import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { decode, descriptionOf, MESSAGE, RECEIPT } from './support.js'

const one = (...args: Parameters<typeof decode>) => {
  const items = decode(...args)
  expect(items).toHaveLength(1)
  return items[0]!
}

describe('A described provider', () => {
  it.each([
    ['a form', { body: 'id=1&state=ok&x=y' }],
    ['a query', { query: 'id=1&state=ok&x=y' }],
    ['a query and a form', { query: 'id=1', body: 'state=ok&x=y' }],
    ['a JSON object', { body: '{"id":1,"state":"ok","x":"y"}' }],
    [
      'a multipart form',
      {
        contentType: 'multipart/form-data; boundary=b',
        body: ['id', 'state', 'x']
          .map(
            (name, index) =>
              `--b\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n${['1', 'ok', 'y'][index]}\r\n`,
          )
          .concat('--b--\r\n')
          .join(''),
      },
    ],
  ])('reads the same receipt from %s', (_, request) => {
    expect(one(descriptionOf(RECEIPT), request)).toMatchObject({
      kind: 'dlr',
      messageId: '1',
      status: 'DELIVERED',
      providerStatus: 'ok',
      identity: ['1', 'OK'],
      raw: { id: '1', state: 'ok', x: 'y' },
    })
  })

  it('takes the first name that is present, and joins names only if all of them are', () => {
    const text = descriptionOf(RECEIPT.replace('messageId: id', 'messageId: [batch + to, id, "other id"]'))
    expect(one(text, { body: 'state=ok&batch=b&to=2&id=1' })).toMatchObject({ messageId: 'b:2' })
    expect(one(text, { body: 'state=ok&batch=b&id=1' })).toMatchObject({ messageId: '1' })
    expect(one(text, { body: 'state=ok&other+id=3' })).toMatchObject({ messageId: '3' })
  })

  it('never gives two items whose joined values differ the same identity', () => {
    const text = descriptionOf(RECEIPT.replace('messageId: id', 'messageId: a + b'))
    const value = fc.stringMatching(/^[a:1]{1,4}$/)
    fc.assert(
      fc.property(value, value, value, value, (a, b, c, d) => {
        const first = one(text, { body: JSON.stringify({ a, b, state: 'ok' }) })
        const second = one(text, { body: JSON.stringify({ a: c, b: d, state: 'ok' }) })
        if (first.kind === 'dead-letter' || second.kind === 'dead-letter') throw new Error('a dead letter')
        expect(JSON.stringify(first.identity) === JSON.stringify(second.identity)).toBe(a === c && b === d)
      }),
    )
  })

  it.each([
    ['missing-id', { body: 'state=ok' }],
    ['missing-status', { body: 'id=1' }],
    ['conflicting-fields', { body: 'id=1&id=2&state=ok' }],
    ['conflicting-fields', { query: 'id=2', body: 'id=1&state=ok' }],
    ['not-json', { body: '{"id":1' }],
  ])('makes a dead letter %s of %o', (reason, request) => {
    expect(one(descriptionOf(RECEIPT), request)).toMatchObject({ kind: 'dead-letter', reason })
  })

  it('tells by the conditions what an item is, and names the fields of one that is none of them', () => {
    const receipt = `${RECEIPT}\nwhen: [{ field: type, equals: [dlr, report] }]`
    const ignored = 'kind: ignored\nwhen: [{ field: type, equals: ping }]'
    const refused = 'kind: unsupported\nwhen: [{ field: type, equals: mms }]\ndetail: pictures have no text'
    const text = descriptionOf(MESSAGE, receipt, ignored, refused)
    expect(one(text, { body: 'type=report&id=1&state=ok' })).toMatchObject({ kind: 'dlr' })
    expect(one(text, { body: 'type=dlr&from=33612345678&text=' })).toMatchObject({ kind: 'dead-letter' })
    expect(one(text, { body: 'from=33612345678&text=hello' })).toMatchObject({ kind: 'mo', sender: '+33612345678' })
    expect(decode(text, { body: 'type=ping' })).toEqual([])
    expect(one(text, { body: 'type=mms' })).toMatchObject({
      reason: 'unsupported-event',
      detail: 'pictures have no text',
    })
    expect(one(text, { body: 'type=other' })).toMatchObject({
      reason: 'not-a-report',
      detail: expect.stringContaining('the fields are type') as unknown,
    })
  })

  const rows = descriptionOf(`${RECEIPT}\nrows: event.reports[]\nclientReference: event[batch]`)

  it('reads each row of a list, with the fields beside the list and the bytes of the row', () => {
    const body = '{"a":1,"event":{"batch":"B","reports":[{"id":1,"state":"ok"},{"id":2,"state":"sent"}, 3]}}'
    const items = decode(rows, { body })
    expect(items).toMatchObject([
      { messageId: '1', clientReference: 'B', raw: { id: '1', state: 'ok', a: '1', 'event[batch]': 'B' } },
      { messageId: '2', status: 'ENROUTE' },
      { kind: 'dead-letter', reason: 'not-a-row' },
    ])
    expect(items.map((item) => Buffer.from(item.body).toString())).toEqual([
      '{"id":1,"state":"ok"}',
      '{"id":2,"state":"sent"}',
      '3',
    ])
  })

  it('reads the whole rows of a list that is cut, and one row that stands alone, as a dead letter has it', () => {
    const body = '{"event":{"reports":[{"id":1,"state":"ok"},{"id":2,"st'
    expect(decode(rows, { body })).toMatchObject([{ messageId: '1' }, { reason: 'cut-page' }])
    expect(decode(rows, { body: '{"id":1,"state":"ok"}' })).toMatchObject([{ messageId: '1' }])
    expect(decode(rows, { body: '{"event":{"reports":[]}}' })).toMatchObject([{ reason: 'not-a-report' }])
  })

  it('keeps the whole body with a row whose meaning needs a field beside the list', () => {
    const text = descriptionOf(RECEIPT.replace('messageId: id', 'messageId: batch + to\nrows: reports[]'))
    const body = '{"batch":"B","reports":[{"to":1,"state":"ok"}]}'
    expect(Buffer.from(one(text, { body }).body).toString()).toBe(body)
  })

  it('reads rows inside rows, whether they are objects or plain values', () => {
    const text = descriptionOf(
      RECEIPT.replace('messageId: id', 'messageId: [number, to]\nrows: states[].to[]').replace(
        'field: state',
        'field: "states[state]"',
      ),
    )
    const body = '{"states":[{"state":"ok","to":["1",{"number":2}]},{"state":"sent","to":["3"]},{"state":"sent"}]}'
    expect(decode(text, { body })).toMatchObject([
      { messageId: '1', status: 'DELIVERED' },
      { messageId: '2', status: 'DELIVERED' },
      { messageId: '3', status: 'ENROUTE' },
      { reason: 'missing-id' },
    ])
  })

  it('reads the members of a JSON text in the place of its field', () => {
    const text = descriptionOf(`${RECEIPT}\njson: Message\nwhen: [{ field: state, present: true }]`)
    const message = JSON.stringify({ id: '1', state: 'ok' })
    const wrapped = JSON.stringify({ Type: 'Notification', Message: message })
    expect(one(text, { body: wrapped })).toMatchObject({
      messageId: '1',
      raw: { id: '1', state: 'ok', Type: 'Notification' },
    })
    expect(one(text, { body: message })).toMatchObject({ messageId: '1' })
    expect(one(text, { body: '{"Message":"no JSON"}' })).toMatchObject({ reason: 'not-a-report' })
  })

  it('reads statuses without regard to case, by two fields, and final where the provider says so', () => {
    const text = descriptionOf(`
kind: receipt
messageId: id
status:
  field: state
  second: code
  values: { failed: UNDELIVERABLE, failed 7: EXPIRED }
  final: [odd]
  finalField: done
identity: none`)
    const read = (body: string) => one(text, { body })
    expect(read('id=1&state=FAILED')).toMatchObject({ status: 'UNDELIVERABLE', providerStatus: 'FAILED' })
    expect(read('id=1&state=failed&code=7')).toMatchObject({ status: 'EXPIRED' })
    expect(read('id=1&state=odd')).toMatchObject({ status: 'UNKNOWN', isFinal: true })
    expect(read('id=1&state=odd&done=false')).toMatchObject({ isFinal: false })
    expect(read('id=1&state=new')).not.toHaveProperty('isFinal')
  })

  it.each([
    ['ISO 8601', '2026-03-04T05:06:07.000+0000', ''],
    ['YYYY-MM-DD hh:mm:ss', '2026-03-04 06:06:07', 'zone: Europe/Paris'],
    ['YYYYMMDDhhmmss', '20260304050607', 'zone: UTC'],
    ['RFC 1123', 'Wed, 04 Mar 2026 05:06:07 GMT', ''],
    ['Unix seconds', '1772600767', ''],
    ['Unix milliseconds', '1772600767000', ''],
  ])('reads times of the form %s', (format, sent, zone) => {
    const time = `occurredAt: { field: at, format: ${format}${zone && `, ${zone}`} }`
    const item = one(descriptionOf(`${RECEIPT}\n${time}`), { body: JSON.stringify({ id: 1, state: 'ok', at: sent }) })
    expect(item).toMatchObject({ occurredAt: Date.UTC(2026, 2, 4, 5, 6, 7) })
  })

  it('reads times of ten digits as dates and not as seconds, and leaves a time of another form out', () => {
    const text = descriptionOf(`${RECEIPT}\noccurredAt: { field: at, format: YYMMDDhhmm, zone: UTC }`)
    expect(one(text, { body: 'id=1&state=ok&at=2603040506' })).toMatchObject({ occurredAt: Date.UTC(2026, 2, 4, 5, 6) })
    expect(one(text, { body: 'id=1&state=ok&at=2026-03-04' })).toMatchObject({ occurredAt: null })
    expect(one(text, { body: 'id=1&state=ok&at=2613040506' })).toMatchObject({ occurredAt: null })
  })

  it.each([
    ['percent, charset: UTF-16BE', '%20%AC%00%35', '€5'],
    ['percent', 'caf%C3%A9+noir', 'café noir'],
    ['hex, charset: UTF-16BE', '20ac0035', '€5'],
    ['base64', 'Y2Fmw6k=', 'café'],
  ])('decodes a text whose coding is %s', (coding, sent, decoded) => {
    const text = descriptionOf(MESSAGE.replace('text: text\n', `text: { field: text, coding: ${coding} }\n`))
    const item = one(text, { body: JSON.stringify({ from: '33612345678', text: sent }) })
    expect(item).toMatchObject({ kind: 'mo', text: decoded, raw: { text: sent } })
  })

  it.each([
    ['percent', 'caf%zz'],
    ['hex', '2'],
    ['base64', 'a!'],
    ['base64', '/////w=='],
    ['base64, charset: unheard-of', 'Y2Fm'],
  ])('makes a dead letter of a text that is not %s', (coding, sent) => {
    const text = descriptionOf(
      MESSAGE.replace(
        'text: text\n',
        `text: { field: text, coding: "${coding.split(',')[0]}"${coding.includes(',') ? `,${coding.split(',')[1]}` : ''} }\n`,
      ),
    )
    const item = one(text, { body: JSON.stringify({ from: '33612345678', text: sent }) })
    expect(item).toMatchObject({ kind: 'dead-letter', reason: 'undecodable' })
  })

  it('reads references, networks of two fields, prices, counts, parts and opt-outs', () => {
    const receipt = `${RECEIPT}
clientReference: ref
network: mcc + mnc
segments: count
price: { amount: cost, currency: [currency, =EUR] }
part: { reference: group, number: no, total: of }
statusText: why
errorCode: code`
    const body = 'id=1&state=ok&ref=r&mcc=208&mnc=01&count=2&cost=0.05&group=g&no=1&of=2&why=fine&code=0'
    expect(one(descriptionOf(receipt), { body })).toMatchObject({
      clientReference: 'r',
      network: '20801',
      segments: 2,
      price: { amount: '0.05', currency: 'EUR' },
      part: { reference: 'g', number: 1, total: 2 },
      providerStatusText: 'fine',
      errorCode: '0',
    })
    const message = `${MESSAGE}
keyword: word
inReplyTo: reply
optOut: { field: word, values: { stop: STOP } }`
    expect(one(descriptionOf(message), { body: 'from=33612345678&text=Stop&word=Stop&reply=9' })).toMatchObject({
      keyword: 'Stop',
      optOut: 'STOP',
      inReplyTo: '9',
    })
  })
})
