import { gzipSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import type { Via } from '../../src/core/event.js'
import type { Item } from '../../src/providers/provider.js'
import { ProviderCatalog } from '../../src/providers/catalog.js'
import { SETTINGS } from './provider-contract.js'
import { decodeWith, providerNamed, received } from './support.js'

const BODY_BYTES = 256 * 1024
const fill = (text: string): string => text.repeat(Math.ceil(BODY_BYTES / text.length)).slice(0, BODY_BYTES)

/** Bodies of 256 KiB, each of which makes a careless parser slow, or lets it exhaust the stack or the memory. */
const BODIES = {
  'opening brackets': fill('['),
  'opening braces': fill('{"a":'),
  'nested arrays that are closed': `{"a":${'['.repeat(BODY_BYTES / 2)}${']'.repeat(BODY_BYTES / 2)}}`,
  quotes: fill('"'),
  'backslashes in a string': `{"a":"${fill('\\')}`,
  'an array of numbers': `[${fill('1,')}1]`,
  'a page of numbers': `{"results":[${fill('1,')}1]}`,
  'a long name in front of many values': `{"${fill('k').slice(BODY_BYTES / 2)}":[${fill('1,').slice(BODY_BYTES / 2)}1]}`,
  'one key, repeated': `{${fill('"a":1,')}"b":2}`,
  ampersands: fill('&'),
  'one parameter, repeated': fill('a=1&'),
  'ids without statuses': fill('msg_id=1&'),
  'reports and as many other parameters': `${fill('msg_id=1&status=DELIVERED&').slice(BODY_BYTES / 2)}&${fill('x=1&').slice(BODY_BYTES / 2)}`,
  'many reports, and many parameters that belong to all of them': `${Array.from({ length: 3000 }, (_, i) => `r[${i}][msg_id]=${i}&r[${i}][status]=A`).join('&')}&${Array.from({ length: 15_000 }, (_, i) => `k${i}=`).join('&')}`,
  'many messages, and many parameters that belong to all of them': `${Array.from({ length: 3000 }, (_, i) => `m[${i}][sender]=1&m[${i}][text]=A`).join('&')}&${Array.from({ length: 15_000 }, (_, i) => `k${i}=`).join('&')}`,
  'many rows beside many fields': `{${Array.from({ length: 15_000 }, (_, i) => `"k${i}":1,`).join('')}"results":[${'{"MsgId":"1","Status":"3"},'.repeat(3000)}{}]}`,
  'indexed ids': Array.from({ length: 12_000 }, (_, i) => `msg_id[${i}]=1`).join('&'),
  'brackets in a name': `${fill('[a]')}=1&msg_id=1&status=A`,
  'percent signs': fill('%'),
  'invalid escapes': fill('%zz'),
  digits: fill('1'),
  spaces: fill(' '),
  'spaces behind a status': `1 DELIVERED${fill(' ')}x`,
  'line breaks': fill('\n'),
  'lines with one report each': fill('1 DELIVERED\n'),
  semicolons: fill(';'),
  zeros: fill('\0'),
  'delimiters of a multipart form': fill('--b\r\nContent-Disposition: form-data; name="a"\r\n\r\n'),
  'almost-delimiters of a multipart form': `--${'-'.repeat(120)}\r\nContent-Disposition: form-data\r\n\r\n${fill('-')}`,
  'a multipart form of empty parts': `${fill('--b\r\n')}\r\n--b--`,
  'one long header in a multipart form': `--b\r\nContent-Disposition: form-data; ${fill('name="\\";')}\r\n\r\nx\r\n--b--`,
  'headers without a blank line in a multipart form': `--b\r\nContent-Disposition: x\r\n${fill('a: b\r\n')}\r\n--b--`,
  'folded headers in a multipart form': `--b\r\nContent-Disposition: x\r\n${fill('\r\n ')}\r\n--b--`,
  'a long number': `{"results":[{"MsgId":"1","Status":"5","OriginatedAddress":"+${fill('1')}","Content":"x"}]}`,
  'a long date': `{"results":[{"MsgId":"1","Status":"3","DeliveryDateTime":"${fill('2026-01-01 ')}"}]}`,
}

/**
 * The number of characters in `raw` of all items. It is limited, because all items of an entry are in memory at once.
 */
const rawSize = (items: readonly Item[]): number =>
  items.reduce(
    (sum, item) =>
      sum +
      (item.kind === 'dead-letter'
        ? 0
        : Object.entries(item.raw).reduce((size, [name, value]) => size + name.length + value.length, 0)),
    0,
  )

describe.each(['mtarget', 'seven'])('The decoder of %s needs linear time and bounded memory', (name) => {
  const decode = decodeWith(name)

  it.each(Object.entries(BODIES))(
    'for a body of %s',
    (_, text) => {
      const body = Buffer.from(text)
      const origins: [Via, string][] = [
        ['PULL', '/notification'],
        ['CALLBACK', '/callbacks/a'],
        ['QUERY', '/api/status'],
        ['QUERY', '/api/journal/inbound'],
      ]
      for (const [via, path] of origins) {
        const each = received(via, body, { path, status: '200' })
        const start = process.cpuUsage()
        const items = decode(each)
        providerNamed(name).pull?.inspect(each)
        providerNamed(name).reconcile?.inspect(each)
        const { user } = process.cpuUsage(start)
        expect(items.some((item) => item.kind === 'dead-letter' && item.reason === 'decoder-failed')).toBe(false)
        // Linear work takes a tenth of this limit. Quadratic work takes minutes.
        expect(user / 1000, `${via} ${path}`).toBeLessThan(5000)
        expect(rawSize(items), `${via} ${path}`).toBeLessThan(64 * 1024 * 1024)
      }
    },
    60_000,
  )

  it('for the same bytes in a query', () => {
    for (const text of Object.values(BODIES)) decode(received('CALLBACK', '', { query: text.slice(0, 64 * 1024) }))
  }, 60_000)

  it('for a parameter that is repeated in the query and stands at the end of a long form', () => {
    const query = 'Status=3&status=DELIVERED&'.repeat(2500)
    const body = `${'a=1&'.repeat(250_000)}Status=3&status=DELIVERED`
    const start = process.cpuUsage()
    expect(decode(received('CALLBACK', body, { query })).length).toBeGreaterThan(0)
    expect(process.cpuUsage(start).user / 1000).toBeLessThan(2000)
  }, 60_000)

  it('for many rows with a long query', () => {
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

  it('for a form of 4 MiB without an equals sign', () => {
    // Quadratic work takes minutes here.
    expect(decode(received('CALLBACK', 'a&'.repeat(2 * 1024 * 1024)))).toHaveLength(1)
  }, 60_000)

  it('for a report with one nested field that is repeated 350,000 times', () => {
    const body = `r[0][msg_id]=1&r[0][status]=A&${'r[0][n][x]=&'.repeat(350_000)}`
    expect(decode(received('CALLBACK', body)).length).toBeGreaterThan(0)
  }, 60_000)
})

/** Bodies of 48 MiB that take some kilobytes as they are sent. */
const INFLATED_BYTES = 48 * 1024 * 1024
const inflated = (text: string): string => text.repeat(Math.ceil(INFLATED_BYTES / text.length))
const PART = '--b\r\nContent-Disposition: form-data; name="Status"\r\n\r\n3\r\n'

describe.each(['mtarget', 'seven', 'twilio'])('The decoder of %s reads no more than any callback has', (name) => {
  it.each([
    ['fields of a form', () => inflated('Status=3&'), 'the form has more than 262144 fields'],
    ['parts of a multipart form', () => `${inflated(PART)}--b--`, 'the multipart form has more than 65536 parts'],
    [
      'headers of a part',
      () => `--b\r\nContent-Disposition: form-data; name="a"\r\n${inflated('a: b\r\n')}\r\n1\r\n--b--`,
      'or more than 65536 bytes of headers in one',
    ],
  ])(
    'of compressed %s',
    (_, write, problem) => {
      const body = gzipSync(write(), { level: 1 })
      const provider = new ProviderCatalog(undefined).provider(name)
      const items = [...provider.decode(received('CALLBACK', body, { 'content-encoding': 'gzip' }), SETTINGS)]
      expect(items).toMatchObject([{ kind: 'dead-letter', reason: 'too-complex', body }])
      expect(items.map((item) => item.kind === 'dead-letter' && item.detail).join()).toContain(problem)
    },
    120_000,
  )
})
