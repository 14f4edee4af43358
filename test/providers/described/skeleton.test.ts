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
