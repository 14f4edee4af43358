/** What looks like an item of a known form and is not quite one: kept as a dead letter, or read without guessing. */
import { gzipSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import type { Item } from '../../src/providers/provider.js'
import { decodeWith, providerNamed, received } from './support.js'

const seven = decodeWith('seven')
const mtarget = decodeWith('mtarget')
const brief = (items: readonly Item[]): string[] =>
  items.map((item) =>
    item.kind === 'dlr' ? `${item.messageId} ${item.status}` : item.kind === 'mo' ? `mo ${item.text}` : item.reason,
  )
const form = { 'content-type': 'application/x-www-form-urlencoded' }

describe('a report of seven', () => {
  it.each([
    ['ids and statuses in a list', 'msg_id=1001,1002&status=DELIVERED,NOTDELIVERED'],
    ['ids in a list', 'msg_id=1,2&status=DELIVERED'],
    ['ids on lines', 'msg_id=1%0Amsg_id=2&status=DELIVERED'],
    ['a line behind the status', 'msg_id=1&status=DELIVERED%0Afoo'],
  ])('with %s is a dead letter', (_, query) => {
    expect(brief(seven(received('CALLBACK', '', { method: 'GET', query })))).toEqual(['ambiguous-report'])
    expect(brief(seven(received('CALLBACK', query, form)))).toEqual(['ambiguous-report'])
  })

  it.each(['\n', '\r\n'])('of a webhook one a line, ended by %j, is read line by line', (end) => {
    const flat = ['webhook_event=dlr&msg_id=2001&status=DELIVERED', 'webhook_event=dlr&msg_id=2002&status=FAILED']
    const nested = flat.map((line) => line.replace('msg_id', 'data[msg_id]').replace('status', 'data%5Bstatus%5D'))
    for (const lines of [flat, nested]) {
      const items = seven(received('CALLBACK', lines.join(end), form))
      expect(brief(items)).toEqual(['2001 DELIVERED', '2002 UNDELIVERABLE'])
    }
  })

  it('has in raw what was sent with it, and nothing of another one', () => {
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

  it('does not take a time that was sent once for that of each', () => {
    const query = 'msg_id=1&status=DELIVERED&timestamp=2026-01-01T00:00:00Z&msg_id=2&status=FAILED'
    const items = seven(received('CALLBACK', '', { method: 'GET', query }))
    expect(items).toMatchObject([{ occurredAt: null }, { occurredAt: null }])
    expect(items.map((item) => item.kind === 'dlr' && item.raw['timestamp'])).toEqual([
      '2026-01-01T00:00:00Z',
      '2026-01-01T00:00:00Z',
    ])
  })
})

describe('a row of Mtarget', () => {
  it.each([
    ['null', '{"MsgId":"x","Status":null,"code":"3","DestinationAdress":"33612345678"}'],
    ['nested', '{"MsgId":"x","Status":{"v":3},"code":"3"}'],
    ['empty and 5', '{"Status":"","Status":"5","code":"1","OriginatedAddress":"33612345678","Content":"STOP"}'],
  ])('whose Status is %s is an item, not an error of the account', (_, row) => {
    const page = received('PULL', `{"results":[${row}]}`, { status: '200' })
    expect(mtarget(page)).toMatchObject([{ kind: 'dead-letter' }])
    expect(providerNamed('mtarget').pull!.inspect(page)).toEqual({ kind: 'page', rows: 1 })
  })

  it('that has neither is an error of the account, as in the sample', () => {
    const row = '{"reason":"INVALID_CREDENTIALS","ticket":"null","code":"-12","msisdn":"null","Status":null}'
    const page = received('PULL', `{"results":[${row}]}`, { status: '200' })
    expect(mtarget(page)).toEqual([])
    expect(providerNamed('mtarget').pull!.inspect(page)).toMatchObject({ kind: 'page', rows: 0 })
  })
})

describe('results that are no array', () => {
  const row = (id: string): string => `{"MsgId":"${id}","Status":"3","DestinationAdress":"33612345678"}`

  it.each([
    ['a list with gaps, as PHP writes it', `{"0":${row('a')},"2":${row('b')}}`, ['a DELIVERED', 'b DELIVERED']],
    ['one row', row('a'), ['a DELIVERED']],
    ['null', 'null', []],
    ['an empty object', '{}', []],
  ])('but %s are a page, whatever its HTTP status', (_, results, items) => {
    for (const status of ['200', '500']) {
      const page = received('PULL', `{"total": 2, "results" : ${results} }`, { status })
      expect(brief(mtarget(page))).toEqual(items)
      expect(providerNamed('mtarget').pull!.inspect(page)).toEqual({ kind: 'page', rows: items.length })
    }
  })

  it('but a text are none', () => {
    expect(brief(mtarget(received('PULL', '{"results":"none"}', { status: '200' })))).toEqual(['not-a-page'])
  })

  it('and elements without any field do not look like more to come', () => {
    for (const results of ['[{}]', '[null]', '[{},{}]']) {
      const page = received('PULL', `{"results":${results}}`, { status: '200' })
      expect(providerNamed('mtarget').pull!.inspect(page)).toEqual({ kind: 'page', rows: 0 })
    }
  })
})

describe('a compressed body that does not say so', () => {
  it('is known by its first bytes', () => {
    const page = '{"results":[{"MsgId":"a","Status":"3","DestinationAdress":"33612345678"}]}'
    expect(brief(mtarget(received('PULL', gzipSync(page), { status: '200' })))).toEqual(['a DELIVERED'])
    expect(brief(mtarget(received('PULL', gzipSync(page).subarray(0, 5), { status: '200' })))).toEqual(['not-a-page'])
  })
})

describe('an answer of seven', () => {
  const inspect = (path: string, body: string) =>
    providerNamed('seven').reconcile!.inspect(received('QUERY', body, { path, status: '200' }))

  it.each(['/api/status', '/api/journal/outbound', '/api/journal/inbound'])(
    'of %s in which nothing has an id is none',
    (path) => {
      expect(inspect(path, '{"success":"900"}')).toMatchObject({ kind: 'not-an-answer' })
      expect(inspect(path, '[]')).toMatchObject({ kind: 'answer', rows: 0 })
      expect(inspect(path, '[{"id":"1","status":"DELIVERED"}]')).toMatchObject({ kind: 'answer', rows: 1 })
    },
  )

  it('to a question about a status that is empty holds no report yet', () => {
    const body = '[{"id":"1","status":"","status_time":""},{"id":"2","status":"DELIVERED"}]'
    expect(brief(seven(received('QUERY', body, { path: '/api/status', status: '200' })))).toEqual(['2 DELIVERED'])
  })
})
