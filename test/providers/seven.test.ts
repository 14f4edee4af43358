import fc from 'fast-check'
import { describe, expect, it, vi } from 'vitest'
import { decodeWith, providerNamed, received } from './support.js'

vi.setConfig({ testTimeout: 60_000 })

const decode = decodeWith('seven')
const { reconcile } = providerNamed('seven')
if (!reconcile) throw new Error('the provider seven has no reconcile protocol')

const STATUSES = [
  'DELIVERED',
  'NOTDELIVERED',
  'BUFFERED',
  'TRANSMITTED',
  'ACCEPTED',
  'EXPIRED',
  'REJECTED',
  'FAILED',
  'UNKNOWN',
]
const FORM = { 'content-type': 'application/x-www-form-urlencoded' }

describe('The reconcile protocol of seven', () => {
  const account = { url: 'https://gateway.example/api/', apiKey: 'secret' }

  it('asks for the status of several messages by one GET with their ids', () => {
    expect(reconcile.statusRequest(account, ['1', '2', 'a/b'])).toEqual({
      method: 'GET',
      url: 'https://gateway.example/api/status?msg_id=1,2,a%2Fb',
      headers: { 'X-Api-Key': 'secret', accept: 'application/json' },
    })
    expect(reconcile.maxIdsPerQuery).toBeGreaterThanOrEqual(1)
  })

  it('asks for a page of the message log by days and offset', () => {
    const { url, headers } = reconcile.logRequest(account, 'inbound', { from: '2026-11-01', to: '2026-11-02' }, 200)
    expect(url).toBe(
      'https://gateway.example/api/journal/inbound?date_from=2026-11-01&date_to=2026-11-02&limit=100&offset=200',
    )
    expect(headers['X-Api-Key']).toBe('secret')
  })

  it.each([
    [
      'a full page',
      JSON.stringify(Array.from({ length: 100 }, (_, i) => ({ id: `${i}` }))),
      {},
      { kind: 'answer', rows: 100, isLastPage: false },
    ],
    ['the last page', '[{"id":"1"}]', {}, { kind: 'answer', rows: 1, isLastPage: true }],
    ['an empty page', '[]', {}, { kind: 'answer', rows: 0, isLastPage: true }],
    ['a page that was cut', '[{"id":"1"},{"id', {}, { kind: 'answer', rows: 1, isLastPage: false }],
    ['a status as text', 'DELIVERED\n1605878104', {}, { kind: 'answer', rows: 1, isLastPage: true }],
    ['a refusal for a wrong key', '"900"', {}, { kind: 'refused', detail: 'seven answered 900: the API key is wrong' }],
    [
      'a refusal for a wrong key as text',
      '900',
      {},
      { kind: 'refused', detail: 'seven answered 900: the API key is wrong' },
    ],
    [
      'a refusal with an undocumented code',
      '"987"',
      {},
      { kind: 'refused', detail: 'seven answered 987: a code that is not documented' },
    ],
    ['an HTTP error', '[]', { status: '502' }, { kind: 'refused', detail: 'seven answered with HTTP status 502' }],
  ])('classifies %s', (_, body, facts, verdict) => {
    const path = body.startsWith('D') ? '/api/status' : '/api/journal/outbound'
    expect(
      reconcile.inspect(received('QUERY', body, { status: '200', path, query: 'msg_id=1', ...facts })),
    ).toMatchObject(verdict)
  })
})

describe('The decoder of seven for receipts', () => {
  const report = fc.record({ id: fc.integer({ min: 1 }).map(String), status: fc.constantFrom(...STATUSES) })

  it('gives a receipt the same identity by every way of delivery', () => {
    fc.assert(
      fc.property(report, ({ id, status }) => {
        const data = { msg_id: id, status }
        const answer = { status: '200', query: `msg_id=${id}` }
        const ways = [
          received('CALLBACK', '', { query: `msg_id=${id}&status=${status}` }),
          received('CALLBACK', `msg_id=${id}&status=${status}`, FORM),
          received('CALLBACK', `${id};${status}\n`),
          received('CALLBACK', JSON.stringify([data])),
          received(
            'CALLBACK',
            JSON.stringify({ webhook_event: 'dlr', webhook_timestamp: '2026-07-01 12:00:00', data }),
          ),
          received('CALLBACK', `webhook_event=dlr&data[msg_id]=${id}&data[status]=${status}`, FORM),
          received('QUERY', JSON.stringify([{ id, status, status_time: '2026-07-01 12:00:01' }]), {
            ...answer,
            path: '/api/status',
          }),
          received('QUERY', `${status}\n1605878104`, { ...answer, path: '/api/status' }),
          received('QUERY', JSON.stringify([{ id, to: '49176', dlr: status }]), {
            ...answer,
            path: '/api/journal/outbound',
          }),
        ]
        for (const way of ways)
          expect(decode(way)).toMatchObject([{ kind: 'dlr', messageId: id, identity: [id, status] }])
      }),
    )
  })

  it('returns every receipt of a cumulated report, in each of its possible forms', () => {
    fc.assert(
      fc.property(fc.array(report, { minLength: 2, maxLength: 20 }), (reports) => {
        const join = (form: (each: (typeof reports)[0], i: number) => string, by: string): string =>
          reports.map(form).join(by)
        const bodies = [
          join(({ id, status }) => `msg_id=${id}&status=${status}`, '&'),
          join(({ id, status }) => `msg_id[]=${id}&status[]=${status}`, '&'),
          join(({ id, status }, i) => `msg_id[${i}]=${id}&status[${i}]=${status}`, '&'),
          join(({ id, status }, i) => `reports[${i}][msg_id]=${id}&reports[${i}][status]=${status}`, '&'),
          join(({ id, status }, i) => `${i}[msg_id]=${id}&${i}[status]=${status}`, '&'),
          join(({ id }) => `msg_id=${id}`, '&') + '&' + join(({ status }) => `status=${status}`, '&'),
          join(({ id, status }) => `${id};${status}`, '\n'),
          join(({ id, status }) => `${id} ${status}`, '\r\n'),
          join(({ id, status }) => `msg_id=${id}&status=${status}`, '\n'),
          join(({ id, status }) => JSON.stringify({ msg_id: id, status }), '\n'),
          JSON.stringify(reports.map(({ id, status }) => ({ msg_id: id, status }))),
          JSON.stringify({ reports: reports.map(({ id, status }) => ({ msg_id: id, status })) }),
        ]
        const expected = reports.map(({ id, status }) => [id, status])
        for (const body of bodies) {
          const items = decode(received('CALLBACK', body))
          expect(
            items.map((item) => item.kind === 'dlr' && item.identity),
            body,
          ).toEqual(expected)
        }
      }),
      { numRuns: 50 },
    )
  })
})

describe('The decoder of seven', () => {
  it('puts every field into raw, from JSON, from a form and from a query', () => {
    const key = fc
      .string({ minLength: 1 })
      .filter((each) => !/[[\]]/.test(each) && !['msg_id', 'status', 'webhook_event'].includes(each))
    fc.assert(
      fc.property(fc.dictionary(key, fc.string({ unit: 'grapheme' })), (more) => {
        const fields = { ...more, msg_id: '1', status: 'DELIVERED' }
        for (const each of [
          received('CALLBACK', JSON.stringify(fields)),
          received('CALLBACK', new URLSearchParams(fields).toString(), FORM),
          received('CALLBACK', '', { query: new URLSearchParams(fields).toString() }),
        ]) {
          const [item] = decode(each)
          expect(item?.kind === 'dlr' && item.raw).toEqual(fields)
        }
      }),
    )
  })

  it('turns the answer of an unknown endpoint into a dead letter', () => {
    expect(decode(received('QUERY', '[]', { path: '/api/balance' }))).toMatchObject([{ reason: 'not-a-report' }])
  })

  it('reads a callback as one although its source is named like an endpoint', () => {
    const facts = { path: '/callbacks/status', query: 'msg_id=1&status=DELIVERED' }
    for (const via of ['CALLBACK', 'OTHER'] as const)
      expect(decode(received(via, '', facts))).toMatchObject([{ kind: 'dlr' }])
  })

  it('returns one dead letter for 5,000 reports in one form that can not be read for the same reason', () => {
    const body = Array.from({ length: 5000 }, (_, i) => `msg_id[${i}]=${i + 1}`).join('&')
    expect(decode(received('CALLBACK', body, FORM))).toMatchObject([
      { reason: 'missing-status', detail: expect.stringContaining('5000 of 5000 reports') as string },
    ])
  })
})
