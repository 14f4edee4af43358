import { describe, expect, it } from 'vitest'
import type { Via } from '../../src/core/event.js'
import type { Item } from '../../src/providers/provider.js'
import { decodeWith, providerNamed, received } from './support.js'

const SIZE = 256 * 1024
const fill = (text: string): string => text.repeat(Math.ceil(SIZE / text.length)).slice(0, SIZE)

/** As much each of what makes careless parsers slow, deep or large. */
const BODIES = {
  'opening brackets': fill('['),
  'opening braces': fill('{"a":'),
  'nested arrays that close': `{"a":${'['.repeat(SIZE / 2)}${']'.repeat(SIZE / 2)}}`,
  quotes: fill('"'),
  'backslashes in a string': `{"a":"${fill('\\')}`,
  'an array of numbers': `[${fill('1,')}1]`,
  'a page of numbers': `{"results":[${fill('1,')}1]}`,
  'a long name over many values': `{"${fill('k').slice(SIZE / 2)}":[${fill('1,').slice(SIZE / 2)}1]}`,
  'one key over and over': `{${fill('"a":1,')}"b":2}`,
  ampersands: fill('&'),
  'one parameter over and over': fill('a=1&'),
  'ids without statuses': fill('msg_id=1&'),
  'reports and many other fields': `${fill('msg_id=1&status=DELIVERED&').slice(SIZE / 2)}&${fill('x=1&').slice(SIZE / 2)}`,
  'many reports, and many fields of none': `${Array.from({ length: 3000 }, (_, i) => `r[${i}][msg_id]=${i}&r[${i}][status]=A`).join('&')}&${Array.from({ length: 15_000 }, (_, i) => `k${i}=`).join('&')}`,
  'many messages, and many fields of none': `${Array.from({ length: 3000 }, (_, i) => `m[${i}][sender]=1&m[${i}][text]=A`).join('&')}&${Array.from({ length: 15_000 }, (_, i) => `k${i}=`).join('&')}`,
  'a page of many rows beside many fields': `{${Array.from({ length: 15_000 }, (_, i) => `"k${i}":1,`).join('')}"results":[${'{"MsgId":"1","Status":"3"},'.repeat(3000)}{}]}`,
  'indexed ids': Array.from({ length: 12_000 }, (_, i) => `msg_id[${i}]=1`).join('&'),
  'brackets in a name': `${fill('[a]')}=1&msg_id=1&status=A`,
  'percent signs': fill('%'),
  'bad escapes': fill('%zz'),
  digits: fill('1'),
  blanks: fill(' '),
  'blanks behind a status': `1 DELIVERED${fill(' ')}x`,
  'line breaks': fill('\n'),
  lines: fill('1 DELIVERED\n'),
  semicolons: fill(';'),
  zeros: fill('\0'),
  'a long number': `{"results":[{"MsgId":"1","Status":"5","OriginatedAddress":"+${fill('1')}","Content":"x"}]}`,
  'a long date': `{"results":[{"MsgId":"1","Status":"3","DeliveryDateTime":"${fill('2026-01-01 ')}"}]}`,
}

/** Characters that the items' `raw` take together: all of an entry is in memory at once. */
const rawSize = (items: readonly Item[]): number =>
  items.reduce(
    (sum, item) =>
      sum +
      (item.kind === 'dead-letter'
        ? 0
        : Object.entries(item.raw).reduce((size, [name, value]) => size + name.length + value.length, 0)),
    0,
  )

describe.each(['mtarget', 'seven'])('%s reads a hostile body in good time', (name) => {
  const decode = decodeWith(name)

  it.each(Object.entries(BODIES))(
    '%s',
    (_, text) => {
      const body = Buffer.from(text)
      const ways: [Via, string][] = [
        ['PULL', '/notification'],
        ['CALLBACK', '/callbacks/a'],
        ['QUERY', '/api/status'],
        ['QUERY', '/api/journal/inbound'],
      ]
      for (const [via, path] of ways) {
        const each = received(via, body, { path, status: '200' })
        const start = process.cpuUsage()
        const items = decode(each)
        providerNamed(name).pull?.inspect(each)
        providerNamed(name).reconcile?.inspect(each)
        const { user } = process.cpuUsage(start)
        expect(items.some((item) => item.kind === 'dead-letter' && item.reason === 'decoder-failed')).toBe(false)
        // Linear work takes a tenth of it; what is quadratic takes minutes.
        expect(user / 1000, `${via} ${path}`).toBeLessThan(5000)
        expect(rawSize(items), `${via} ${path}`).toBeLessThan(64 * 1024 * 1024)
      }
    },
    60_000,
  )

  it('and the same in a query', () => {
    for (const text of Object.values(BODIES)) decode(received('CALLBACK', '', { query: text.slice(0, 64 * 1024) }))
  }, 60_000)

  it('and many rows with a long query', () => {
    const query = `msg_id=1&${'long=value&'.repeat(5000)}`
    const rows = [
      '{"msg_id":"1","status":"DELIVERED","MsgId":"1","Status":"3"},'.repeat(5000),
      '1;DELIVERED\n'.repeat(5000),
    ]
    for (const body of [`[${rows[0]}{}]`, rows[1]!]) {
      const items = decode(received('CALLBACK', body, { query }))
      expect(rawSize(items)).toBeLessThan(64 * 1024 * 1024)
      expect(items.some((item) => item.kind === 'dead-letter')).toBe(true)
    }
  }, 60_000)

  it('and four megabytes without an equals sign', () => {
    // What is quadratic takes minutes here.
    expect(decode(received('CALLBACK', 'a&'.repeat(2 * 1024 * 1024)))).toHaveLength(1)
  }, 60_000)

  it('and one nested field of a report over and over', () => {
    const body = `r[0][msg_id]=1&r[0][status]=A&${'r[0][n][x]=&'.repeat(350_000)}`
    expect(decode(received('CALLBACK', body)).length).toBeGreaterThan(0)
  }, 60_000)
})
