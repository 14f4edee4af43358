import fc from 'fast-check'
import { describe, expect, it, vi } from 'vitest'
import { decodeBody } from '../../../src/providers/wire/body.js'
import { readMultipart } from '../../../src/providers/wire/multipart.js'
import { received } from '../support.js'

vi.setConfig({ testTimeout: 60_000 })

type Fields = readonly (readonly [name: string, value: string])[]

const read = (body: string | Uint8Array, contentType?: string): Fields | string | undefined => {
  const request = received('CALLBACK', body, contentType === undefined ? {} : { 'content-type': contentType })
  const decoded = decodeBody(request)
  if ('kind' in decoded) return decoded.reason
  const result = readMultipart(request, decoded)
  if (result === undefined) return undefined
  if (!('kind' in result)) return result.map(({ name, value }) => [name, value])
  expect(result.body).toBe(request.body)
  return result.reason
}

/** Writes a form as curl does, which is what PHP uses. */
const write = (fields: Fields, { boundary = 'b0undary', lineEnd = '\r\n' } = {}): string =>
  fields
    .map(
      ([name, value]) =>
        `--${boundary}${lineEnd}Content-Disposition: form-data; name="${name.replaceAll('"', '\\"')}"${lineEnd}` +
        `${lineEnd}${value}${lineEnd}`,
    )
    .join('') + `--${boundary}--${lineEnd}`

const TYPE = 'multipart/form-data; boundary=b0undary'
const FORM: Fields = [
  ['Msisdn', '33612345678'],
  ['Content', 'é 🙂\r\nsecond line\n'],
  ['data[id]', ''],
]

/** A name or value without line breaks, which the writers of forms change. */
const text = fc.string({ unit: 'grapheme', maxLength: 20 }).map((each) => each.replaceAll(/[\r\n]/g, ' '))
const fields = fc.array(fc.tuple(text, text), { minLength: 1, maxLength: 6 })

describe('readMultipart', () => {
  it('reads what the FormData of the platform writes', async () => {
    await fc.assert(
      fc.asyncProperty(fields, async (list) => {
        const form = new FormData()
        for (const [name, value] of list) form.append(name, value)
        const response = new Response(form)
        const contentType = response.headers.get('content-type')!
        const body = new Uint8Array(await response.arrayBuffer())
        // FormData writes a quote in a name as %22.
        expect(read(body, contentType)).toEqual(list.map(([name, value]) => [name.replaceAll('"', '%22'), value]))
      }),
    )
  })

  it.each(['\r\n', '\n'])('reads what curl writes, also with line ends %j', (lineEnd) => {
    const name = text.map((each) => each.replaceAll('\\', '/'))
    fc.assert(
      fc.property(fc.array(fc.tuple(name, text)), (list) => {
        expect(read(write(list, { lineEnd }), TYPE)).toEqual(list)
      }),
    )
  })

  it.each([
    ['names it in quotes', 'multipart/form-data; charset=utf-8; boundary="b0undary"'],
    ['writes it in capitals', 'Multipart/Form-Data; BOUNDARY=b0undary'],
    ['names none', 'multipart/form-data'],
    ['names another one', 'multipart/form-data; boundary=other'],
    ['names an empty one', 'multipart/form-data; boundary='],
    ['is that of another form', 'application/x-www-form-urlencoded'],
    ['is missing', undefined],
  ])('finds the boundary if the content type %s', (_, contentType) => {
    expect(read(write(FORM), contentType)).toEqual(FORM)
  })

  it('finds a boundary with any characters', () => {
    const boundary = fc.string({ minLength: 1, maxLength: 70, unit: fc.constantFrom(..."ab0 '()+_,-./:=?") })
    fc.assert(
      fc.property(
        boundary.map((each) => `${each.trim()}x`),
        (each) => {
          expect(read(write(FORM, { boundary: each }), `multipart/form-data; boundary="${each}"`)).toEqual(FORM)
        },
      ),
    )
  })

  it.each([
    ['that is not a form', 'MsgId=1&Status=3'],
    ['that is empty', ''],
    ['of JSON', '{"MsgId":"1"}'],
    ['that only begins like one', '--'],
    ['with dashes in front of a parameter', '--a=1&b=2'],
  ])('returns undefined for a body %s, whatever the content type', (_, body) => {
    for (const contentType of [TYPE, 'multipart/form-data', undefined]) expect(read(body, contentType)).toBeUndefined()
  })

  it('does not take a longer boundary, or a delimiter inside a line, for a delimiter', () => {
    const form: Fields = [['a', '--b0undary2\r\nx --b0undary\r\n--b0undary--x']]
    expect(read(write(form), TYPE)).toEqual(form)
  })

  it('accepts white space behind a delimiter and around the form', () => {
    const body = `\r\n${write(FORM).replaceAll('--b0undary\r\n', '--b0undary \t\r\n')}\r\n \r\n`
    expect(read(body, TYPE)).toEqual(FORM)
  })

  it('keeps files, other content types, nested forms and unknown headers as the text of their fields', () => {
    const nested = write([['inner', '1']], { boundary: 'inner' })
    const parts = [
      'Content-Disposition: form-data; filename="a;name=x.txt"; name="file"\r\nContent-Type: application/octet-stream\r\n\r\n\u0000\u0001',
      `Content-Disposition: form-data; name="nested"\r\nContent-Type: multipart/mixed; boundary=inner\r\n\r\n${nested}`,
      'content-type: application/json\r\nX-Other: y\r\ncontent-disposition: form-data;\r\n name=json\r\n\r\n{"a":1}',
    ]
    const body = parts.map((part) => `--b0undary\r\n${part}\r\n`).join('') + '--b0undary--'
    expect(read(body, TYPE)).toEqual([
      ['file', '\u0000\u0001'],
      ['nested', nested],
      ['json', '{"a":1}'],
    ])
  })

  it.each([
    ['in two lines', 'Content-Disposition: form-data; name="a"\r\nC\r\nontent-Type: text/plain\r\n\r\nx'],
    ['without a name', 'Content-Disposition: form-data; name="a"\r\n: text/plain\r\n\r\nx'],
    ['that is the value, because the empty line is missing', 'Content-Disposition: form-data; name="a"\r\nx'],
  ])('returns a dead letter with all bytes for a part with a header %s', (_, part) => {
    expect(read(`--b0undary\r\n${part}\r\n--b0undary--\r\n`, TYPE)).toBe('undecodable')
  })

  it('keeps what is in no named part under an empty name', () => {
    const unnamed = 'Content-Type: text/plain\r\n\r\nx'
    const body = `before\r\n--b0undary\r\n${unnamed}\r\n--b0undary\r\n\r\nno headers\r\n${write(FORM)}behind`
    expect(read(body, TYPE)).toEqual([['', unnamed], ['', '\r\nno headers'], ...FORM, ['', 'before'], ['', 'behind']])
  })

  it('reads each part in its character set, in that of the form, or as UTF-8', () => {
    const part = (name: string, value: string, type = ''): string =>
      `--b0undary\r\nContent-Disposition: form-data; name=${name}\r\n${type}\r\n${value}\r\n`
    const charset = 'Content-Type: text/plain; charset=ISO-8859-15\r\n'
    const own = Buffer.from(`${part('a', '\xa4', charset)}${part('b', '\xe9')}--b0undary--`, 'latin1')
    expect(read(own, TYPE)).toEqual([
      ['a', '€'],
      ['b', 'é'],
    ])
    const all = Buffer.from(`${part('_charset_', 'koi8-r')}${part('a', '\xc1')}--b0undary--`, 'latin1')
    expect(read(all, TYPE)).toEqual([
      ['_charset_', 'koi8-r'],
      ['a', 'а'],
    ])
    expect(read(Buffer.from(`${part('a', '\xc1')}--b0undary--`, 'latin1'), `${TYPE}; charset=koi8-r`)).toEqual([
      ['a', 'а'],
    ])
  })

  it.each([
    ['a character set that can not be read', 'Content-Type: text/plain; charset=utf-16le', 'undecodable'],
    ['a transfer encoding', 'Content-Transfer-Encoding: base64', 'undecodable'],
  ])('returns a dead letter with all bytes for a part with %s', (_, header, reason) => {
    const body = write(FORM).replace('\r\nContent-Disposition', `\r\n${header}\r\nContent-Disposition`)
    expect(read(body, TYPE)).toBe(reason)
  })

  it.each(['7bit', '8BIT', 'binary'])('reads a part whose transfer encoding is %s', (coding) => {
    const header = `Content-Transfer-Encoding: ${coding}`
    const body = write(FORM).replace('\r\nContent-Disposition', `\r\n${header}\r\nContent-Disposition`)
    expect(read(body, TYPE)).toEqual(FORM)
  })

  it('returns a dead letter with all bytes for a second form behind the first one', () => {
    expect(read(write(FORM) + write(FORM), TYPE)).toBe('trailing-bytes')
  })

  it('never reads a part of the fields of a form that was cut', () => {
    const whole = write(FORM).trimEnd()
    for (let length = '--b0undary\r\n'.length; length < Buffer.byteLength(whole); length++) {
      expect(read(Buffer.from(whole).subarray(0, length), TYPE), `${length} bytes`).toBe('cut-page')
    }
  })

  it('reads the same fields as the Response of the platform, where that reads any', async () => {
    const piece = fc.constantFrom(
      '\r\n',
      '--',
      'b0undary',
      '--b0undary',
      ' ',
      ';',
      '"',
      'name=',
      'Content-Type: text/plain\r\n',
    )
    // Some versions of Node refuse shorter boundaries.
    const boundary = 'b0undary'.repeat(4)
    const contentType = `multipart/form-data; boundary=${boundary}`
    const changes = fc.array(fc.tuple(fc.nat(), piece), { maxLength: 3 })
    let compared = 0
    await fc.assert(
      fc.asyncProperty(fields, changes, async (list, inserted) => {
        let body = write(
          list.map(([name, value]) => [name.replaceAll(/["\\%]/g, '/'), value] as const),
          { boundary },
        )
        for (const [at, each] of inserted) body = body.slice(0, at % body.length) + each + body.slice(at % body.length)
        // Where a line break was broken apart, nothing defines how many line breaks there are.
        if (/\r(?!\n)|(?<!\r)\n/.test(body)) return
        const form = await new Response(body, { headers: { 'content-type': contentType } })
          .formData()
          .catch(() => undefined)
        if (form === undefined || [...form.values()].some((value) => typeof value !== 'string')) return
        const mine = read(body, contentType)
        // A dead letter is right wherever the platform ignores bytes.
        if (typeof mine === 'string') return
        // A part whose header was damaged is kept whole under an empty name, and the platform may still find a name in it.
        const unnamed = (mine ?? []).filter(([name]) => name === '')
        if (unnamed.some(([, value]) => /content-/i.test(value))) return
        compared++
        expect((mine ?? []).filter(([name]) => name !== '')).toEqual([...form].filter(([name]) => name !== ''))
      }),
      { numRuns: 500 },
    )
    expect(compared).toBeGreaterThan(100)
  })
})
