/** Bytes that look almost like an item of a known form. Invariant 6: decoding never guesses. */
import { gzipSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import type { Item } from '../../src/providers/provider.js'
import { decodeWith, providerNamed, received } from './support.js'

const seven = decodeWith('seven')
const mtarget = decodeWith('mtarget')
const summarize = (items: readonly Item[]): string[] =>
  items.map((item) =>
    item.kind === 'dlr' ? `${item.messageId} ${item.status}` : item.kind === 'mo' ? `mo ${item.text}` : item.reason,
  )
const form = { 'content-type': 'application/x-www-form-urlencoded' }

describe('The decoder of seven for reports in doubt', () => {
  it.each([
    ['lists of ids and statuses', 'msg_id=1001,1002&status=DELIVERED,NOTDELIVERED'],
    ['a list of ids', 'msg_id=1,2&status=DELIVERED'],
    ['ids on separate lines', 'msg_id=1%0Amsg_id=2&status=DELIVERED'],
    ['another line behind the status', 'msg_id=1&status=DELIVERED%0Afoo'],
  ])('turns %s into a dead letter', (_, query) => {
    expect(summarize(seven(received('CALLBACK', '', { method: 'GET', query })))).toEqual(['ambiguous-report'])
    expect(summarize(seven(received('CALLBACK', query, form)))).toEqual(['ambiguous-report'])
  })

  it.each(['\n', '\r\n'])('reads webhooks on lines that end with %j one by one', (end) => {
    const flat = ['webhook_event=dlr&msg_id=2001&status=DELIVERED', 'webhook_event=dlr&msg_id=2002&status=FAILED']
    const nested = flat.map((line) => line.replace('msg_id', 'data[msg_id]').replace('status', 'data%5Bstatus%5D'))
    for (const lines of [flat, nested]) {
      const items = seven(received('CALLBACK', lines.join(end), form))
      expect(summarize(items)).toEqual(['2001 DELIVERED', '2002 UNDELIVERABLE'])
    }
  })

  it('puts into raw what was sent with a report, and nothing of another report', () => {
    const reports = [
      { msg_id: '1', status: 'DELIVERED', net: { mcc: '262' } },
      { msg_id: '2', status: 'FAILED', net: { mcc: '310' } },
    ]
    const items = seven(received('CALLBACK', JSON.stringify({ reports, batch: 'b' })))
    expect(items.map((item) => (item.kind === 'dlr' ? item.raw : item))).toEqual([
      { 'reports[0][msg_id]': '1', 'reports[0][status]': 'DELIVERED', 'reports[0][net][mcc]': '262', batch: 'b' },
      { 'reports[1][msg_id]': '2', 'reports[1][status]': 'FAILED', 'reports[1][net][mcc]': '310', batch: 'b' },
    ])
  })

  it('does not take a time that was sent once for the time of each report', () => {
    const query = 'msg_id=1&status=DELIVERED&timestamp=2026-01-01T00:00:00Z&msg_id=2&status=FAILED'
    const items = seven(received('CALLBACK', '', { method: 'GET', query }))
    expect(items).toMatchObject([{ occurredAt: null }, { occurredAt: null }])
    expect(items.map((item) => item.kind === 'dlr' && item.raw['timestamp'])).toEqual([
      '2026-01-01T00:00:00Z',
      '2026-01-01T00:00:00Z',
    ])
  })
})

describe('The decoder of Mtarget for rows in doubt', () => {
  it.each([
    ['null', '{"MsgId":"x","Status":null,"code":"3","DestinationAdress":"33612345678"}'],
    ['nested', '{"MsgId":"x","Status":{"v":3},"code":"3"}'],
    ['empty and 5', '{"Status":"","Status":"5","code":"1","OriginatedAddress":"33612345678","Content":"STOP"}'],
  ])('treats a row whose Status is %s as an item, not as an account error', (_, row) => {
    const page = received('PULL', `{"results":[${row}]}`, { status: '200' })
    expect(mtarget(page)).toMatchObject([{ kind: 'dead-letter' }])
    expect(providerNamed('mtarget').pull!.inspect(page)).toEqual({ kind: 'page', rows: 1 })
  })

  it('treats a row without Status and without an id as an account error', () => {
    const row = '{"reason":"INVALID_CREDENTIALS","ticket":"null","code":"-12","msisdn":"null","Status":null}'
    const page = received('PULL', `{"results":[${row}]}`, { status: '200' })
    expect(mtarget(page)).toEqual([])
    expect(providerNamed('mtarget').pull!.inspect(page)).toMatchObject({ kind: 'page', rows: 0 })
  })
})

describe('The decoder of Mtarget for `results` that are not an array', () => {
  const row = (id: string): string => `{"MsgId":"${id}","Status":"3","DestinationAdress":"33612345678"}`

  it.each([
    ['a list with gaps, as PHP writes it,', `{"0":${row('a')},"2":${row('b')}}`, ['a DELIVERED', 'b DELIVERED']],
    ['a single row', row('a'), ['a DELIVERED']],
    ['null', 'null', []],
    ['an empty object', '{}', []],
  ])('accepts %s as a page, whatever its HTTP status', (_, results, items) => {
    for (const status of ['200', '500']) {
      const page = received('PULL', `{"total": 2, "results" : ${results} }`, { status })
      expect(summarize(mtarget(page))).toEqual(items)
      expect(providerNamed('mtarget').pull!.inspect(page)).toEqual({ kind: 'page', rows: items.length })
    }
  })

  it('does not accept a text as a page', () => {
    expect(summarize(mtarget(received('PULL', '{"results":"none"}', { status: '200' })))).toEqual(['not-a-page'])
  })

  it('does not count elements without any field as items', () => {
    for (const results of ['[{}]', '[null]', '[{},{}]']) {
      const page = received('PULL', `{"results":${results}}`, { status: '200' })
      expect(providerNamed('mtarget').pull!.inspect(page)).toEqual({ kind: 'page', rows: 0 })
    }
  })
})

describe('The decoder of Mtarget for a compressed page without the header', () => {
  it('recognises gzip by its first bytes', () => {
    const page = '{"results":[{"MsgId":"a","Status":"3","DestinationAdress":"33612345678"}]}'
    expect(summarize(mtarget(received('PULL', gzipSync(page), { status: '200' })))).toEqual(['a DELIVERED'])
    expect(summarize(mtarget(received('PULL', gzipSync(page).subarray(0, 5), { status: '200' })))).toEqual([
      'not-a-page',
    ])
  })
})

describe('The decoder of seven for answers in doubt', () => {
  const inspect = (path: string, body: string) =>
    providerNamed('seven').reconcile!.inspect(received('QUERY', body, { path, status: '200' }))

  it.each(['/api/status', '/api/journal/outbound', '/api/journal/inbound'])(
    'does not accept an answer of %s in which no row has an id',
    (path) => {
      expect(inspect(path, '{"success":"900"}')).toMatchObject({ kind: 'not-an-answer' })
      expect(inspect(path, '[]')).toMatchObject({ kind: 'answer', rows: 0 })
      expect(inspect(path, '[{"id":"1","status":"DELIVERED"}]')).toMatchObject({ kind: 'answer', rows: 1 })
    },
  )

  it('returns nothing for a row whose status is still empty', () => {
    const body = '[{"id":"1","status":"","status_time":""},{"id":"2","status":"DELIVERED"}]'
    expect(summarize(seven(received('QUERY', body, { path: '/api/status', status: '200' })))).toEqual(['2 DELIVERED'])
  })
})
