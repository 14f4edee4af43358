import { gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { describe, expect, it, vi } from 'vitest'
import { findAccountError } from '../../src/providers/mtarget/row-kind.js'
import { decodeBody } from '../../src/providers/wire/body.js'
import { toRaw } from '../../src/providers/wire/fields.js'
import { jsonFields } from '../../src/providers/wire/json-fields.js'
import { findRows, readableRows } from '../../src/providers/wire/json-rows.js'
import { mutations } from './mutations.js'
import { decodeWith, providerNamed, received, textOf } from './support.js'

vi.setConfig({ testTimeout: 60_000 })

const decode = decodeWith('mtarget')
const { pull } = providerNamed('mtarget')
if (!pull) throw new Error('the provider mtarget has no pull protocol')

const ERROR_ROW = { msisdn: 'null', smscount: '0', code: '-12', reason: 'invalid credential', ticket: 'null' }
const page = (...rows: unknown[]): string => JSON.stringify({ results: rows })
const receipt = (id: string): object => ({ MsgId: id, Status: '3', DestinationAdress: '33612345678' })

/** Whether a JSON value has no field. It may be cut. */
const hasNoField = (body: Uint8Array): boolean => !/^\{\s*"/.test(Buffer.from(body).toString())

describe('The request for a page of Mtarget', () => {
  const account = {
    url: 'https://sms.example/notification',
    username: 'me&you',
    password: 'p=1+1',
    limitParameter: 'max',
  }

  it('is a form POST with user name, password and page size', () => {
    const request = pull.request(account, 50)
    expect(request).toMatchObject({ method: 'POST', url: account.url })
    expect(request.headers['content-type']).toBe('application/x-www-form-urlencoded')
    expect(Object.fromEntries(new URLSearchParams(request.body))).toEqual({
      username: 'me&you',
      password: 'p=1+1',
      max: '50',
    })
  })

  it('names the service if the account has one, and uses the configured parameter for the page size', () => {
    const { body } = pull.request({ ...account, serviceId: '4711', limitParameter: 'limit' }, 7)
    expect(body).toContain('&limit=7&serviceid=4711')
  })

  it('asks for an uncompressed answer, of which every row before a cut can be read', () => {
    expect(pull.request(account, 50).headers['accept-encoding']).toBe('identity')
  })
})

describe('The inspection of an answer of Mtarget', () => {
  const inspect = (body: string | Uint8Array, facts = {}) =>
    pull.inspect(received('PULL', body, { status: '200', ...facts }))

  it.each([
    ['an answer without rows', page(), { kind: 'page', rows: 0 }],
    ['an answer with two rows', page(receipt('1'), receipt('2')), { kind: 'page', rows: 2 }],
    [
      'an answer with an account error',
      page(ERROR_ROW),
      { kind: 'page', rows: 0, accountError: 'invalid credential (code -12)' },
    ],
    [
      'an answer with a receipt, an account error and a number',
      page(receipt('1'), ERROR_ROW, 7),
      { kind: 'page', rows: 1, accountError: 'invalid credential (code -12)' },
    ],
    [
      'an answer that is cut inside its second row',
      page(receipt('1'), receipt('2')).slice(0, -9),
      { kind: 'page', rows: 1, isCut: true },
    ],
    ['an answer that is cut behind its rows', page(receipt('1')).slice(0, -1), { kind: 'page', rows: 1, isCut: true }],
    [
      'a compressed answer that is cut',
      gzipSync(page(receipt('1'), receipt('2'))).subarray(0, -40),
      expect.objectContaining({ kind: 'page', isCut: true }) as object,
    ],
  ])('counts the items of %s', (_, body, verdict) => expect(inspect(body)).toEqual(verdict))

  it('recognises a page whatever its HTTP status', () => {
    expect(inspect(page(receipt('1')), { status: '503' })).toEqual({ kind: 'page', rows: 1 })
  })

  it('recognises a compressed page', () => {
    expect(inspect(gzipSync(page(receipt('1'))), { 'content-encoding': 'gzip' })).toEqual({ kind: 'page', rows: 1 })
  })

  it.each(['', '<html>', '[]', '{"results":7}', '{"error":"no"}', '"results"', '{"result'])(
    'reports a 2xx that is not a page, which the decoder turns into a dead letter: %s',
    (body) => {
      expect(inspect(body).kind).toBe('not-a-page')
      expect(decode(received('PULL', body, { status: '200' }))).toMatchObject([{ reason: 'not-a-page' }])
    },
  )

  it.each(['401', '500', '302'])(
    'reports an account error for an answer with HTTP status %s that is not a page',
    (status) => {
      expect(inspect('<html>', { status })).toMatchObject({
        kind: 'account-error',
        detail: expect.stringContaining(status) as string,
      })
    },
  )

  it('reports a cut for JSON that breaks off before the rows, whatever its HTTP status', () => {
    for (const status of ['200', '500']) {
      expect(inspect('{"resu', { status })).toMatchObject({ kind: 'not-a-page', isCut: true })
    }
    expect(inspect('<html>')).not.toHaveProperty('isCut')
    expect(inspect('')).not.toHaveProperty('isCut')
  })

  it.each<[string, string | Uint8Array, object]>([
    ['a warning of PHP', `<br />\n<b>Warning</b>: x<br />\n${page(receipt('1'))}`, {}],
    ['a call of a function', `callback(${page(receipt('1'))})`, {}],
    ['UTF-16', Buffer.from(page(receipt('1')), 'utf16le'), {}],
    ['another spelling', '{"Results":[{}]}', {}],
    ['a coding that is not known', gzipSync(page(receipt('1'))), { 'content-encoding': 'aes128gcm' }],
  ])('does not take an error for one without rows if it may hold them: %s', (_, body, facts) => {
    expect(inspect(body, { status: '500', ...facts }).kind).toBe('not-a-page')
  })

  it('counts the same rows, and finds the same account error, as a reading of each row, in random and in damaged pages', () => {
    const inspectByReading = (body: Uint8Array, contentType: string) => {
      const decoded = decodeBody(received('PULL', body, { 'content-type': contentType }))
      if ('kind' in decoded) return undefined
      const found = findRows(decoded.bytes, 'results')
      if (!found.hasKey) return undefined
      const errors = [...readableRows(found, decoded)].filter(({ length }) => length > 0).map(findAccountError)
      const accountError = errors.find((error) => error !== undefined)
      return {
        kind: 'page',
        rows: errors.filter((error) => error === undefined).length,
        ...(found.remainder?.kind === 'cut' && { isCut: true }),
        ...(accountError !== undefined && { accountError }),
      }
    }
    const name = fc.constantFrom(
      '"Status"',
      '"code"',
      '"MsgId"',
      '"Msisdn"',
      '"x"',
      '"Sta\\u0074us"',
      '"é"',
      '"__proto__"',
    )
    const value = fc.constantFrom(
      ...['"3"', '3', '-12', '1.0', '03', '"null"', 'null', '""', '" "', '"5 "', '"\u00a0"', 'true', '1e5', '[]', '{}'],
      ...['{"Status":"3"}', '"\\"Status\\":\\"3"', '"\\\\"', '"é"', '"\\ud800"', '"a\nb"', '"Status"', '"},{"'],
    )
    const space = fc.constantFrom('', '', ' ', '\n')
    const member = fc
      .tuple(name, space, value, space)
      .map(([key, before, each, after]) => `${key}${before}:${each}${after}`)
    const plain = fc.constantFrom(JSON.stringify(receipt('1')), '{"Status":3}', '{"code":"-12","x":"a","Status":"5"}')
    const unusual = fc
      .tuple(space, fc.array(member, { maxLength: 4 }))
      .map(([before, all]) => `{${before}${all.join(',')}}`)
    const status = fc.constantFrom('', ' ', 'null', '\u00a0', '3', ' 5', '-1')
    const accountError = fc
      .tuple(
        fc.array(
          status.map((each) => `"Status":"${each}"`),
          { maxLength: 2 },
        ),
        fc.constantFrom('"code":"-12"', '"code":-3'),
      )
      .chain(([all, code]) => fc.shuffledSubarray([...all, code], { minLength: all.length + 1 }))
      .map((all) => `{${all.join(',')}}`)
    const row = fc.oneof(
      { arbitrary: plain, weight: 3 },
      accountError,
      unusual,
      fc.constantFrom('{}', '1', '[{"Status":"3"}]'),
    )
    const pages = fc
      .tuple(
        space,
        fc.array(row, { maxLength: 6 }),
        fc.constantFrom(']}', ']}', ']}', ' ] } ', '],"n":1}', ',]}', ']}x', '\n]}\n', ']'),
      )
      .map(([before, rows, end]) => `${before}{"results":${before}[${rows.join(`${before},`)}${end}`)
    fc.assert(
      fc.property(
        pages,
        fc.option(mutations),
        fc.constantFrom('latin1' as const, 'utf8' as const),
        fc.constantFrom('application/json', 'application/json; charset=iso-8859-2', 'text/html; charset=utf-8'),
        (text, mutate, encoding, contentType) => {
          const whole = Buffer.from(text, encoding)
          const body = mutate === null ? whole : mutate(whole)
          const expected = inspectByReading(body, contentType)
          const verdict = inspect(body, { 'content-type': contentType })
          if (expected === undefined) expect(verdict.kind).toBe('not-a-page')
          else expect(verdict).toEqual(expected)
        },
      ),
      { numRuns: 3_000 },
    )
  })

  it('counts the rows of a page of the largest size whose every value is written with escapes', () => {
    const row = `{"Status":"3","x":"${'\\n'.repeat(4 * 1024)}"}`
    expect(inspect(`{"results":[${Array.from({ length: 500 }, () => row).join(',')}]}`)).toEqual({
      kind: 'page',
      rows: 500,
    })
    const long = `{"Status":"3","x":"${'\\n'.repeat(2 * 1024 * 1024 - 100)}"}`
    expect(inspect(`{"results":[${long}]}`)).toEqual({ kind: 'page', rows: 1 })
    expect(inspect(`{"results":[${long}`)).toMatchObject({ kind: 'page', isCut: true })
    const members = `{"Status":"3"${',"":1'.repeat(800_000)}}`
    expect(inspect(`{"results":[${members}]}`)).toEqual({ kind: 'page', rows: 1 })
    expect(inspect(`{"results":[${members}`)).toMatchObject({ kind: 'page', isCut: true })
  })

  it('counts the same rows as the decoder', () => {
    const row = fc.oneof(fc.constant(ERROR_ROW), fc.constant(receipt('1')), fc.jsonValue())
    fc.assert(
      fc.property(fc.array(row), fc.nat(300), (rows, at) => {
        for (const body of [page(...rows), page(...rows).slice(0, at)]) {
          const verdict = inspect(body)
          const items = decode(received('PULL', body, { status: '200' }))
          const cutRows = items.filter((item) => item.kind === 'dead-letter' && item.reason === 'cut-page')
          // `{}`, `null` or a number becomes a dead letter, and does not count as an item of the page.
          const empty = items.filter(
            (item) => item.kind === 'dead-letter' && !cutRows.includes(item) && hasNoField(item.body),
          )
          if (verdict.kind === 'page') expect(verdict.rows).toBe(items.length - cutRows.length - empty.length)
          else expect(items).toMatchObject([{ reason: 'not-a-page' }])
        }
      }),
    )
  })
})

describe('The decoder of a page of Mtarget', () => {
  const text = fc.string({ unit: 'grapheme' })
  const field = fc.oneof(text, fc.integer(), fc.constant(null), fc.boolean(), fc.dictionary(text, text, { maxKeys: 2 }))
  const name = fc.oneof(
    fc.constantFrom('MsgId', 'Status', 'DestinationAdress', 'OriginatedAddress', 'Content', 'code', 'ticket'),
    text,
  )
  const row = fc.dictionary(name, field)

  it('returns one item for each row, in order, with every field in raw', () => {
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
          expect(item.raw).toEqual(Array.isArray(fields) && toRaw(fields))
        }
      }),
    )
  })

  it('drops a row only if it is an account error', () => {
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

  it('returns the same events as for the same rows in a push', () => {
    fc.assert(
      fc.property(fc.array(row), (rows) => {
        const pushed = decode(received('CALLBACK', page(...rows)))
        const pulled = decode(received('PULL', page(...rows)))
        const events = (items: typeof pulled) => items.filter(({ kind }) => kind !== 'dead-letter')
        expect(events(pushed)).toEqual(events(pulled))
      }),
    )
  })

  it('reads a page of 50,000 rows', () => {
    const body = Buffer.from(page(...Array.from({ length: 50_000 }, (_, i) => receipt(`id-${i}`))))
    const ids: string[] = []
    for (const item of providerNamed('mtarget').decode(received('PULL', body), { textFields: [], ignoreEvents: [] })) {
      if (item.kind === 'dlr') ids.push(item.messageId)
    }
    expect(ids).toEqual(Array.from({ length: 50_000 }, (_, i) => `id-${i}`))
  })

  it('returns the rows that can be inflated of a compressed page that was cut', () => {
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

  it('takes the text of a message from the fields that `textFields` names', () => {
    const body = page({ Status: 5, OriginatedAddress: '33612345678', Reason: 'hello', Content: 'not this' })
    expect(decode(received('PULL', body), { textFields: ['Reason'] })).toMatchObject([{ kind: 'mo', text: 'hello' }])
    expect(decode(received('PULL', body), { textFields: ['Msg'] })).toMatchObject([{ reason: 'missing-text' }])
  })
})
