import { describe, expect, it } from 'vitest'
import type { ReconcileProtocol } from '../../src/providers/provider.js'
import type { Received } from '../../src/core/received.js'
import { seven } from '../../src/providers/seven/index.js'

const reconcile = seven.reconcile as ReconcileProtocol
const received = (path: string, body: string, facts: Partial<Received['facts']> = {}): Received => ({
  via: 'QUERY',
  receivedAt: 0,
  facts: { method: 'GET', path, query: 'msg_id=1', status: '200', ...facts },
  body: Buffer.from(body),
})
const inspect = (...of: Parameters<typeof received>) => reconcile.inspect(received(...of))
const row = (id: unknown, dlr: unknown, timestamp = '2026-01-15 12:00:00') => ({ id, to: '49', dlr, timestamp })

describe('The inspection of the message log of seven', () => {
  it('names the messages without a final receipt, and when they were sent by the clocks of Berlin', () => {
    const rows = [
      row('1', null),
      row('2', 'TRANSMITTED', '2026-07-15 12:00:00'),
      row('3', 'delivered'),
      row(4, '', 'yesterday'),
      row('5', 'FAILED'),
      row(null, null),
      'no row',
      row('6', 'NEWSTATE'),
    ]
    expect(inspect('/api/journal/outbound', JSON.stringify(rows))).toEqual({
      kind: 'answer',
      rows: 8,
      isLastPage: true,
      unsettled: [
        { messageId: '1', sentAt: Date.UTC(2026, 0, 15, 11) },
        { messageId: '2', sentAt: Date.UTC(2026, 6, 15, 10) },
        { messageId: '4', sentAt: null },
        { messageId: '6', sentAt: Date.UTC(2026, 0, 15, 11) },
      ],
    })
  })

  it('expects another page after a full one', () => {
    const rows = (count: number): string =>
      JSON.stringify(Array.from({ length: count }, (_, i) => row(String(i), 'FAILED')))
    expect(inspect('/api/journal/outbound', rows(100))).toMatchObject({ rows: 100, isLastPage: false })
    expect(inspect('/api/journal/outbound', rows(99))).toMatchObject({ rows: 99, isLastPage: true })
    expect(inspect('/api/journal/inbound', '[]')).toMatchObject({ rows: 0, isLastPage: true, unsettled: [] })
  })
})

describe('The inspection of a refusal of seven', () => {
  it.each([
    ['"900"', {}, 'account'],
    ['902', {}, 'account'],
    ['"600"', {}, 'request'],
    ['', { status: '401' }, 'account'],
    ['slow down', { status: '429' }, 'account'],
    ['', { status: '500' }, 'account'],
    ['', { status: '302' }, 'account'],
    ['', { status: '404' }, 'request'],
    ['', { status: '414' }, 'request'],
  ])('finds that the answer %s with %o is about the %s', (body, facts, about) => {
    expect(inspect('/api/status', body, facts)).toMatchObject({ kind: 'refused', about })
  })

  it('refuses an answer that names no message if the query named several', () => {
    const text = 'DELIVERED\n1605878104'
    expect(inspect('/api/status', text, { query: 'msg_id=1,2' })).toMatchObject({ kind: 'refused', about: 'request' })
    expect(inspect('/api/status', text, { query: 'msg_id=1' })).toMatchObject({ kind: 'answer', rows: 1 })
    expect(inspect('/api/status', '', { query: 'msg_id=1' })).toMatchObject({ kind: 'answer', rows: 0 })
  })
})

describe('The inspection of an answer that seven does not document', () => {
  it.each([
    ['/api/status', '<html>maintenance</html>'],
    ['/api/journal/outbound', 'DELIVERED\n1605878104'],
    ['/api/journal/inbound', ''],
    ['/api/elsewhere', '[]'],
  ])('reports that the answer of %s is none: %s', (path, body) => {
    expect(inspect(path, body).kind).toBe('not-an-answer')
  })
})
