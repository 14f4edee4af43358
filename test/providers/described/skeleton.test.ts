import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseCapturedRequest } from '../../../src/providers/described/captured-request.js'
import { parseDescription } from '../../../src/providers/described/load.js'
import { describedProvider } from '../../../src/providers/described/provider.js'
import { checkSamples } from '../../../src/providers/described/samples.js'
import { writeSkeleton } from '../../../src/providers/described/skeleton.js'

const capture = (text: string) => parseCapturedRequest(Buffer.from(text))

describe('A captured request', () => {
  it.each(['\r\n', '\n'])('is read with its method, query, content type and body where lines end with %j', (end) => {
    const lines = ['PUT /cb?a=1&b HTTP/1.1', 'Host: x', 'CONTENT-TYPE:  text/plain ', '', 'a=1', 'b']
    expect(capture(lines.join(end))).toEqual({
      method: 'PUT',
      query: 'a=1&b',
      contentType: 'text/plain',
      body: Buffer.from(`a=1${end}b`),
    })
  })

  it('is a body alone without a request line', () => {
    expect(capture(' {"a":1}')).toMatchObject({ method: 'POST', query: '', contentType: 'application/json' })
    expect(capture('a=1&b=2')).toMatchObject({ contentType: 'application/x-www-form-urlencoded' })
  })

  it('may end anywhere', () => {
    const whole = 'GET /cb?a=1 HTTP/1.1\r\nHost: x\r\n\r\nbody'
    for (let end = 0; end <= whole.length; end++) capture(whole.slice(0, end))
    expect(capture('GET /cb?a=1 HTTP/1.1')).toMatchObject({ query: 'a=1', body: Buffer.alloc(0) })
  })
})

describe('The skeleton of a description', () => {
  const descriptionFrom = (text: string) => {
    const skeleton = writeSkeleton('example', capture(text))
    const { description, problems } = parseDescription(skeleton)
    if (description === undefined) throw new Error(`${JSON.stringify(problems)}\n${skeleton}`)
    return description
  }

  it('names the usual fields of a receipt, and gives the receipt of the request', () => {
    const description = descriptionFrom(
      'message-id=7&dest=33612345678&DeliveryStatus=ok&err_code=3&client-ref=r&done_date=now',
    )
    expect(description.items).toMatchObject([
      {
        kind: 'receipt',
        messageId: ['message-id'],
        recipient: ['dest'],
        status: { field: ['DeliveryStatus'] },
        errorCode: ['err_code'],
        clientReference: ['client-ref'],
        occurredAt: { field: ['done_date'] },
      },
    ])
    const [result] = checkSamples(description, describedProvider(description))
    expect(result).toMatchObject({
      differences: [],
      items: [{ kind: 'dlr', messageId: '7', recipient: '+33612345678' }],
    })
  })

  it('names the list that the items of a JSON body stand in, and the fields of one of them', () => {
    const body = '{"n":1,"data":{"events":[{"sms":{"id":"1"},"from":"33612345678","text":"hi"}]}}'
    const description = descriptionFrom(body)
    expect(description.items).toMatchObject([
      { kind: 'message', rows: 'data.events[]', messageId: ['sms[id]'], sender: ['from'], text: { field: ['text'] } },
    ])
    const [result] = checkSamples(description, describedProvider(description))
    expect(result).toMatchObject({ differences: [], items: [{ kind: 'mo', messageId: '1', text: 'hi' }] })
  })

  it('prefers the fields beside the status to those of the envelope, and reads values in sections', () => {
    const body = {
      id: 'event',
      created_at: 1653378603,
      name: 'sms.delivery',
      data: { id: 'sms', to: { number: '33612345678' }, status: { code: 1 } },
    }
    const description = descriptionFrom(JSON.stringify(body))
    expect(description.items).toMatchObject([
      {
        kind: 'receipt',
        when: [{ field: 'name', equals: ['sms.delivery'] }],
        messageId: ['data[id]'],
        recipient: ['data[to][number]'],
        status: { field: ['data[status][code]'] },
        occurredAt: { field: ['created_at'], format: 'Unix seconds' },
      },
    ])
    const [result] = checkSamples(description, describedProvider(description))
    expect(result).toMatchObject({
      differences: [],
      items: [{ messageId: 'sms', recipient: '+33612345678', occurredAt: 1653378603000 }],
    })
  })

  it.each([
    ['2026-11-02T09:31:07Z', { format: 'ISO 8601' }, '2026-11-02T09:31:07.000Z'],
    ['2026-11-02T09:31:07', { format: 'ISO 8601', zone: 'UTC' }, '2026-11-02T09:31:07.000Z'],
    ['20261102093107', { format: 'YYYYMMDDhhmmss', zone: 'UTC' }, '2026-11-02T09:31:07.000Z'],
    ['1653378603', { format: 'Unix seconds' }, '2022-05-24T07:50:03.000Z'],
    ['1653378603000', { format: 'Unix milliseconds' }, '2022-05-24T07:50:03.000Z'],
  ])('names a format that reads the time %s', (time, expected, instant) => {
    const description = descriptionFrom(new URLSearchParams({ id: '1', status: 'sent', timestamp: time }).toString())
    expect(description.items[0]).toMatchObject({ occurredAt: { field: ['timestamp'], ...expected } })
    const [result] = checkSamples(description, describedProvider(description))
    expect(result).toMatchObject({ items: [{ occurredAt: Date.parse(instant) }] })
  })

  it('gives an item a condition, so that a request of another kind is not taken for it', () => {
    expect(descriptionFrom('id=1&status=sent').items[0]).toMatchObject({ when: [{ field: 'status', present: true }] })
    expect(descriptionFrom('from=33612345678&text=hi&direction=in').items[0]).toMatchObject({
      when: [{ field: 'direction', equals: ['in'] }],
    })
  })

  it('says which field it could not find', () => {
    expect(writeSkeleton('example', capture('status=sent'))).toContain(
      '# No field has a usual name for messageId. Replace TODO by one of the fields below.\n    messageId: TODO\n',
    )
  })

  it('is a valid description of any request', () => {
    const form = fc.dictionary(fc.string(), fc.string()).map((fields) => new URLSearchParams(fields).toString())
    const request = fc.oneof(fc.json(), form, fc.string({ unit: 'binary' }))
    fc.assert(
      fc.property(request, fc.string(), (body, query) => {
        const skeleton = writeSkeleton('example', {
          method: 'POST',
          query,
          contentType: 'a/b',
          body: Buffer.from(body),
        })
        const { problems } = parseDescription(skeleton)
        if (problems !== undefined) throw new Error(`${JSON.stringify(problems)}\n${skeleton}`)
      }),
    )
  })
})

describe('A sample', () => {
  const sampled = (item: string) => {
    const { description } = parseDescription(
      [
        'provider: example',
        'title: Example',
        'documents: [https://provider.example/docs]',
        'items:',
        '  - { kind: receipt, messageId: id, status: { field: s, values: { d: DELIVERED } }, identity: none }',
        'samples:',
        `  - { name: x, evidence: unknown, body: id=1&s=d, items: [${item}] }`,
      ].join('\n'),
    )
    return checkSamples(description!, describedProvider(description!))[0]?.differences
  }

  it('that names a field which an item can not have is refused with the fields that it can have', () => {
    expect(sampled('{ kind: dlr, messageid: "1" }')).toEqual([
      expect.stringMatching(
        /^item 1: messageid is no field of an item of the kind dlr; known here: kind, messageId, .*isFinal$/,
      ),
    ])
  })

  it('is compared with what the item lacks', () => {
    expect(sampled('{ kind: dlr, recipient: null }')).toEqual([])
    expect(sampled('{ kind: dlr, isFinal: true }')).toEqual(['item 1: isFinal is nothing, and "true" is expected'])
    expect(sampled('{ kind: dlr }, { kind: mo }')).toEqual([
      'there are 1 items, and 2 are expected',
      'item 2: kind is nothing, and "mo" is expected',
    ])
  })
})
