import { describe, expect, it } from 'vitest'
import type { Received } from '../../../src/core/received.js'
import { parseDescription } from '../../../src/providers/described/load.js'
import { describedProvider } from '../../../src/providers/described/provider.js'
import { descriptionOf, RECEIPT } from './support.js'

const providerWith = (pull: string, rows: string) => {
  const { description, problems } = parseDescription(`${descriptionOf(`${RECEIPT}\nrows: "${rows}"`)}\npull: ${pull}`)
  if (description === undefined) throw new Error(JSON.stringify(problems))
  return describedProvider(description)
}
const provider = providerWith(
  '{ limitParameter: limit, credentials: { header: Authorization, prefix: "App " }, rows: "data.items[]" }',
  'data.items[]',
)
const page = (body: string, status = '200'): Received => ({
  via: 'PULL',
  receivedAt: 0,
  facts: { method: 'GET', path: '/reports', query: 'id=7&limit=10', status },
  body: Buffer.from(body),
})
const account = { url: 'https://x.example/reports?kind=sms', username: 'u', password: 'p', limitParameter: 'limit' }
const decode = (received: Received, from = provider) => [...from.decode(received, { textFields: [], ignoreEvents: [] })]

describe('The queue of a described provider', () => {
  it('is asked for a page with the credentials that the description names', () => {
    const request = provider.pull!.request(account, 50)
    expect(request).toMatchObject({ method: 'GET', url: 'https://x.example/reports?kind=sms&limit=50' })
    expect(request.headers).toMatchObject({ authorization: 'App p', 'accept-encoding': 'identity' })
    const basic = providerWith('{ limitParameter: n, rows: "[]" }', '[]').pull!.request(account, 1)
    expect(basic.headers['authorization']).toBe(`Basic ${Buffer.from('u:p').toString('base64')}`)
  })

  it('hands out rows, and the query of its address is no field of them', () => {
    const received = page('{"data":{"items":[{"id":"1","state":"ok"},{"id":"2","state":"sent"}]}}')
    expect(provider.pull!.inspect(received)).toEqual({ kind: 'page', rows: 2 })
    expect(decode(received)).toMatchObject([{ messageId: '1', raw: { id: '1', state: 'ok' } }, { messageId: '2' }])
  })

  it('is empty if the list is, and such an answer needs no place in the journal', () => {
    const received = page('{"data":{"items":[]}}')
    expect(provider.pull!.inspect(received)).toEqual({ kind: 'page', rows: 0 })
    expect(decode(received)).toEqual([])
    expect(provider.pull!.emptyPage).toBe('{"data":{"items":[]}}')
  })

  it('may break off: the whole rows are read, and the answer counts as cut', () => {
    const received = page('{"data":{"items":[{"id":"1","state":"ok"},{"id":"2"')
    expect(provider.pull!.inspect(received)).toEqual({ kind: 'page', rows: 1, isCut: true })
    expect(decode(received)).toMatchObject([{ messageId: '1' }, { kind: 'dead-letter', reason: 'cut-page' }])
  })

  it.each([
    ['an error with 401', page('{"error":"no"}', '401'), 'account-error'],
    ['an error with 500 that names the list', page('oops "items"', '500'), 'not-a-page'],
    ['a page of HTML with 200', page('<html>'), 'not-a-page'],
    ['another object with 200', page('{"data":{}}'), 'not-a-page'],
  ])('tells apart %s', (_, received, kind) => {
    expect(provider.pull!.inspect(received)).toMatchObject({ kind })
    if (kind === 'not-a-page') expect(decode(received)).toMatchObject([{ kind: 'dead-letter', reason: 'not-a-page' }])
  })

  it('may be a bare array', () => {
    const bare = providerWith('{ limitParameter: n, rows: "[]" }', '[]')
    expect(bare.pull!.inspect(page('[{"id":1,"state":"ok"}]'))).toEqual({ kind: 'page', rows: 1 })
    expect(bare.pull!.inspect(page('[]'))).toEqual({ kind: 'page', rows: 0 })
    expect(bare.pull!.inspect(page('{"id":1,"state":"ok"}'))).toMatchObject({ kind: 'not-a-page' })
    expect(decode(page('[{"id":1,"state":"ok"}]'), bare)).toMatchObject([{ messageId: '1' }])
  })
})
