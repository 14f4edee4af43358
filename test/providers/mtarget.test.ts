import { gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { describe, expect, it, vi } from 'vitest'
import { rawOf } from '../../src/providers/wire/fields.js'
import { jsonFields } from '../../src/providers/wire/json-fields.js'
import { decodeWith, providerNamed, received, textOf } from './support.js'

vi.setConfig({ testTimeout: 60_000 })

const decode = decodeWith('mtarget')
const { pull } = providerNamed('mtarget')
if (!pull) throw new Error('mtarget has a queue')

const ERROR_ROW = { msisdn: 'null', smscount: '0', code: '-12', reason: 'invalid credential', ticket: 'null' }
const page = (...rows: unknown[]): string => JSON.stringify({ results: rows })
const receipt = (id: string): object => ({ MsgId: id, Status: '3', DestinationAdress: '33612345678' })

/** A JSON value without any field, cut or whole. */
const isBare = (body: Uint8Array): boolean => !/^\{\s*"/.test(Buffer.from(body).toString())

describe('asking the queue of Mtarget for a page', () => {
  const account = {
    url: 'https://sms.example/notification',
    username: 'me&you',
    password: 'p=1+1',
    limitParameter: 'max',
  }

  it('is a form POST with user, password and page size', () => {
    const request = pull.request(account, 50)
    expect(request).toMatchObject({ method: 'POST', url: account.url })
    expect(request.headers['content-type']).toBe('application/x-www-form-urlencoded')
    expect(Object.fromEntries(new URLSearchParams(request.body))).toEqual({
      username: 'me&you',
      password: 'p=1+1',
      max: '50',
    })
  })

  it('names the service where the account has one, and the page size as configured', () => {
    const { body } = pull.request({ ...account, serviceId: '4711', limitParameter: 'limit' }, 7)
    expect(body).toContain('&limit=7&serviceid=4711')
  })

  it('asks for an answer of which every byte that arrives can be read', () => {
    expect(pull.request(account, 50).headers['accept-encoding']).toBe('identity')
  })
})

describe('what an answer of the queue is', () => {
  const inspect = (body: string | Uint8Array, facts = {}) =>
    pull.inspect(received('PULL', body, { status: '200', ...facts }))

  it.each([
    ['an empty queue', page(), { kind: 'page', rows: 0 }],
    ['rows', page(receipt('1'), receipt('2')), { kind: 'page', rows: 2 }],
    ['an account error', page(ERROR_ROW), { kind: 'page', rows: 0, accountError: 'invalid credential (code -12)' }],
    [
      'rows beside an account error',
      page(receipt('1'), ERROR_ROW, 7),
      { kind: 'page', rows: 1, accountError: 'invalid credential (code -12)' },
    ],
    ['whole rows of a page that was cut', page(receipt('1'), receipt('2')).slice(0, -9), { kind: 'page', rows: 1 }],
  ])('%s', (_, body, verdict) => expect(inspect(body)).toEqual(verdict))

  it('is a page whatever its HTTP status', () => {
    expect(inspect(page(receipt('1')), { status: '503' })).toEqual({ kind: 'page', rows: 1 })
  })

  it('is a page when it is compressed', () => {
    expect(inspect(gzipSync(page(receipt('1'))), { 'content-encoding': 'gzip' })).toEqual({ kind: 'page', rows: 1 })
  })

  it.each(['', '<html>', '[]', '{"results":7}', '{"error":"no"}', '"results"', '{"result'])(
    'is kept when it is a 2xx and no page: %s',
    (body) => {
      expect(inspect(body).kind).toBe('not-a-page')
      expect(decode(received('PULL', body, { status: '200' }))).toMatchObject([{ reason: 'not-a-page' }])
    },
  )

  it.each(['401', '500', '302'])('is an error of the account when it is a %s without a page', (status) => {
    expect(inspect('<html>', { status })).toMatchObject({
      kind: 'account-error',
      detail: expect.stringContaining(status) as string,
    })
  })

  it('counts the rows that decoding finds', () => {
    const row = fc.oneof(fc.constant(ERROR_ROW), fc.constant(receipt('1')), fc.jsonValue())
    fc.assert(
      fc.property(fc.array(row), fc.nat(300), (rows, at) => {
        for (const body of [page(...rows), page(...rows).slice(0, at)]) {
          const verdict = inspect(body)
          const items = decode(received('PULL', body, { status: '200' }))
          const left = items.filter((item) => item.kind === 'dead-letter' && item.reason === 'cut-page')
          // A bare `{}`, `null` or number is a dead letter, and no reason to ask for more at once.
          const empty = items.filter((item) => item.kind === 'dead-letter' && !left.includes(item) && isBare(item.body))
          if (verdict.kind === 'page') expect(verdict.rows).toBe(items.length - left.length - empty.length)
          else expect(items).toMatchObject([{ reason: 'not-a-page' }])
        }
      }),
    )
  })
})

describe('a page of Mtarget', () => {
  const text = fc.string({ unit: 'grapheme' })
  const field = fc.oneof(text, fc.integer(), fc.constant(null), fc.boolean(), fc.dictionary(text, text, { maxKeys: 2 }))
  const name = fc.oneof(
    fc.constantFrom('MsgId', 'Status', 'DestinationAdress', 'OriginatedAddress', 'Content', 'code', 'ticket'),
    text,
  )
  const row = fc.dictionary(name, field)

  it('gives one item for each row, in order, with every field in raw', () => {
    const withStatus = fc
      .tuple(row, fc.constantFrom('0', '3', '5', 5, 'new'))
      .map(([rest, Status]) => ({ ...rest, Status }))
    fc.assert(
      fc.property(fc.array(withStatus), (rows) => {
        const items = decode(received('PULL', page(...rows)))
        expect(items.map(textOf)).toEqual(rows.map((each) => JSON.stringify(each)))
        for (const item of items) {
          if (item.kind === 'dead-letter') continue
          const fields = jsonFields(textOf(item))
          expect(item.raw).toEqual(Array.isArray(fields) && rawOf(fields))
        }
      }),
    )
  })

  it('drops a row only where it is an error of the account', () => {
    const without = row.map((each) => ({ ...each, Status: undefined }))
    fc.assert(
      fc.property(fc.array(without), (rows) => {
        const isError = ({ code }: Record<string, unknown>): boolean =>
          (typeof code === 'string' || typeof code === 'number' || typeof code === 'boolean') &&
          !['', '0', 'null'].includes(String(code).trim())
        const items = decode(received('PULL', page(...rows)))
        expect(items.map(textOf)).toEqual(rows.filter((each) => !isError(each)).map((each) => JSON.stringify(each)))
        expect(items.every((item) => item.kind === 'dead-letter' && item.reason === 'missing-status')).toBe(true)
      }),
    )
  })

  it('is read the same as the same rows pushed', () => {
    fc.assert(
      fc.property(fc.array(row), (rows) => {
        const pushed = decode(received('CALLBACK', page(...rows)))
        const pulled = decode(received('PULL', page(...rows)))
        const events = (items: typeof pulled) => items.filter(({ kind }) => kind !== 'dead-letter')
        expect(events(pushed)).toEqual(events(pulled))
      }),
    )
  })

  it('of 50,000 rows is read row by row', () => {
    const body = Buffer.from(page(...Array.from({ length: 50_000 }, (_, i) => receipt(`id-${i}`))))
    const ids: string[] = []
    for (const item of providerNamed('mtarget').decode(received('PULL', body), { textFields: [], ignoreEvents: [] })) {
      if (item.kind === 'dlr') ids.push(item.messageId)
    }
    expect(ids).toEqual(Array.from({ length: 50_000 }, (_, i) => `id-${i}`))
  })

  it('that was compressed and cut gives the rows that inflate', () => {
    const rows = Array.from({ length: 2000 }, (_, i) => receipt(`id-${i * 7919}`))
    const compressed = gzipSync(page(...rows))
    const half = compressed.subarray(0, compressed.length / 2)
    const items = decode(received('PULL', half, { 'content-encoding': 'gzip', complete: 'false' }))
    const last = items.at(-1)
    expect(items.length).toBeGreaterThan(500)
    expect(items.slice(0, -1).map(textOf)).toEqual(rows.slice(0, items.length - 1).map((each) => JSON.stringify(each)))
    expect(last).toMatchObject({
      reason: 'cut-page',
      detail: expect.stringContaining(`${items.length - 1} whole rows`) as string,
    })
    expect(JSON.stringify(rows[items.length - 1]).startsWith(textOf(last as never))).toBe(true)
  })

  it('takes an MO text from the fields that the configuration names', () => {
    const body = page({ Status: 5, OriginatedAddress: '33612345678', Reason: 'hello', Content: 'not this' })
    expect(decode(received('PULL', body), { textFields: ['Reason'] })).toMatchObject([{ kind: 'mo', text: 'hello' }])
    expect(decode(received('PULL', body), { textFields: ['Msg'] })).toMatchObject([{ reason: 'missing-text' }])
  })
})
