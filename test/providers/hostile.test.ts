import { describe, expect, it } from 'vitest'
import type { Via } from '../../src/event.js'
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
      }
    },
    60_000,
  )

  it('and the same in a query', () => {
    for (const text of Object.values(BODIES)) decode(received('CALLBACK', '', { query: text.slice(0, 64 * 1024) }))
  }, 60_000)
})
