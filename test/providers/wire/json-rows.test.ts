import fc from 'fast-check'
import { describe, expect, it, vi } from 'vitest'
import type { ByteRanges } from '../../../src/providers/wire/byte-ranges.js'
import { decodeBody } from '../../../src/providers/wire/body.js'
import { countFlatRows, findRows, readEnvelope } from '../../../src/providers/wire/json-rows.js'

vi.setConfig({ testTimeout: 60_000 })

const find = (text: string, ...keys: string[]) => {
  const bytes = Buffer.from(text)
  const { rows, envelope, hasKey, remainder } = findRows(bytes, ...keys)
  const textsOf = (ranges: ByteRanges): string[] => Array.from(ranges.slices(bytes), (slice) => slice.toString())
  return {
    rows: textsOf(rows),
    envelope: textsOf(envelope),
    hasKey,
    remainder: remainder && `${remainder.kind}: ${bytes.subarray(remainder.from).toString()}`,
  }
}

describe('findRows', () => {
  it('finds the elements of the array under the key, and the other members as the envelope', () => {
    expect(find(' {"n":1,"results" : [ {"a":"]}\\""} , 2,"x" ],"o":{"results":[3]}} ', 'results')).toEqual({
      rows: ['{"a":"]}\\""}', '2', '"x"'],
      envelope: ['"n":1', '"o":{"results":[3]}'],
      hasKey: true,
      remainder: undefined,
    })
  })

  it('finds rows under a key that is written with escapes, and under a key that occurs twice', () => {
    expect(find('{"\\u0072esults":[1 ],"results":[2 ]}', 'results').rows).toEqual(['1', '2'])
  })

  it('finds the elements of an array, and objects that follow one another', () => {
    expect(find('[{"a":1},{"b":2}]').rows).toEqual(['{"a":1}', '{"b":2}'])
    expect(find('{"a":1}\n{"b":[2]}\n').rows).toEqual(['{"a":1}', '{"b":[2]}'])
    expect(find('{"a":1}', 'results')).toMatchObject({ rows: ['{"a":1}'], hasKey: false, remainder: undefined })
  })

  it.each([
    ['', [], 'cut: '],
    ['{"results":[', [], 'cut: '],
    ['{"results":[{"a":1', [], 'cut: {"a":1'],
    ['{"results":[{"a":1}', ['{"a":1}'], 'cut: '],
    ['{"results":[{"a":1},', ['{"a":1}'], 'cut: '],
    ['{"results":[{"a":1}, {"b":"', ['{"a":1}'], 'cut: {"b":"'],
    ['{"results":[1,2', ['1'], 'cut: 2'],
    ['{"results":[{"a":1}]', ['{"a":1}'], 'cut: '],
    ['{"results":[{"a":1}],"n"', ['{"a":1}'], 'cut: "n"'],
    ['{"results":[{"a":1}],"n":12', ['{"a":1}'], 'cut: "n":12'],
    ['{"resu', [], 'cut: {"resu'],
    ['{"results":[{"a":1} {"b":2}]}', ['{"a":1}'], 'broken: {"b":2}]}'],
    ['{"results":[{"a":1}]}{"b":2}', ['{"a":1}'], 'trailing: {"b":2}'],
    ['{"results":[{"a":1},]}', ['{"a":1}'], undefined],
    ['<html>', [], 'broken: <html>'],
    ['{"a":1} x', ['{"a":1}'], 'trailing: x'],
  ])('finds the whole rows and the remainder of: %s', (text, rows, remainder) =>
    expect(find(text, 'results')).toMatchObject({ rows, remainder }),
  )

  it('finds the rows that several keys lead to, and what stands beside them at each level', () => {
    const text = '{"id":1,"event":{"kind":"x","rows":[{"a":1}, 2],"more":{"b":[3]}},"event2":{}}'
    expect(find(text, 'event', 'rows')).toEqual({
      rows: ['{"a":1}', '2'],
      envelope: ['"id":1', '"kind":"x"', '"more":{"b":[3]}', '"event2":{}'],
      hasKey: true,
      remainder: undefined,
    })
    const body = Buffer.from(text)
    const decoded = decodeBody({ via: 'CALLBACK', receivedAt: 0, facts: { method: 'POST', path: '', query: '' }, body })
    if ('kind' in decoded) throw new Error(decoded.detail)
    const { fields } = readEnvelope(findRows(body, 'event', 'rows'), decoded, 'event', 'rows')
    expect(fields.map(({ name, value }) => `${name}=${value}`)).toEqual([
      'id=1',
      'event[kind]=x',
      'event[more][b][0]=3',
      'event2={}',
    ])
  })

  it.each([
    ['{"event":{"rows":[{"a":1},{"b"', ['{"a":1}'], true, 'cut: {"b"'],
    ['{"event":{"rows":[{"a":1}]', ['{"a":1}'], true, 'cut: '],
    ['{"event":{"rows":[{"a":1}]}', ['{"a":1}'], true, 'cut: '],
    ['{"event":{"rows":null}}', [], true, undefined],
    ['{"event":{"rows":{"a":1}}}', ['{"a":1}'], true, undefined],
    ['{"event":{"other":[1]}}', ['{"event":{"other":[1]}}'], false, undefined],
    ['{"event":[{"rows":[1]}]}', ['{"event":[{"rows":[1]}]}'], false, undefined],
    ['{"rows":[1]}', ['{"rows":[1]}'], false, undefined],
  ])('finds what several keys lead to in: %s', (text, rows, hasKey, remainder) =>
    expect(find(text, 'event', 'rows')).toMatchObject({ rows, hasKey, remainder }),
  )

  const page = fc.record({ before: fc.jsonValue(), results: fc.array(fc.jsonValue()), after: fc.jsonValue() })

  it('finds the same rows as JSON.parse', () => {
    fc.assert(
      fc.property(page, fc.constantFrom(undefined, 2), (value, indent) => {
        const { rows, remainder } = find(JSON.stringify(value, null, indent), 'results')
        expect(remainder).toBeUndefined()
        expect(rows.map((row) => JSON.parse(row) as unknown)).toEqual(JSON.parse(JSON.stringify(value.results)))
      }),
    )
  })

  it('finds, in a page that is cut anywhere, the whole rows before the cut and the beginning of the next one', () => {
    const rows = fc.array(fc.dictionary(fc.string({ maxLength: 5 }), fc.jsonValue()), { maxLength: 6 })
    fc.assert(
      fc.property(rows, fc.nat(400), (values, at) => {
        const whole = Buffer.from(JSON.stringify({ results: values }))
        if (at >= whole.length) return
        const found = find(whole.subarray(0, at).toString('latin1'), 'results')
        expect(found.remainder).toMatch(/^cut: /)
        const latin1 = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('latin1')
        expect(found.rows).toEqual(values.slice(0, found.rows.length).map(latin1))
        const next = values[found.rows.length]
        if (found.hasKey && next !== undefined)
          expect(`cut: ${latin1(next)}`.startsWith(found.remainder as string)).toBe(true)
      }),
    )
  })
})

describe('countFlatRows', () => {
  const count = (text: string, isCounted = () => true) => countFlatRows(Buffer.from(text), 'results', isCounted)

  it('counts the rows of a whole page, and tells the caller where each lies', () => {
    const text = '{"results":[{"a":"1","b":null}, {"a":"\\u00e9\\"","b":-1.5e3}]}'
    const rows: string[] = []
    const isCounted = (page: string, start: number, end: number): boolean => {
      rows.push(page.slice(start, end))
      return true
    }
    expect(countFlatRows(Buffer.from(text), 'results', isCounted)).toBe(2)
    expect(rows).toEqual(['{"a":"1","b":null}', '{"a":"\\u00e9\\"","b":-1.5e3}'])
  })

  it('counts nothing if the caller does not count one of the rows', () => {
    const results = [true, false]
    expect(
      countFlatRows(Buffer.from('{"results":[{"a":1},{"a":2}]}'), 'results', () => results.shift()!),
    ).toBeUndefined()
  })

  it.each([
    ['an empty list', '{"results":[]}'],
    ['a row without members', '{"results":[{}]}'],
    ['a nested value', '{"results":[{"a":{}}]}'],
    ['a name with an escape', '{"results":[{"\\u0061":1}]}'],
    ['an escape that JSON does not know', '{"results":[{"a":"\\x41"}]}'],
    ['a row that is no object', '{"results":[1]}'],
    ['a page that breaks off', '{"results":[{"a":1}'],
    ['a comma in front of the end', '{"results":[{"a":1},]}'],
    ['a member beside the rows', '{"results":[{"a":1}],"n":1}'],
    ['bytes behind the page', '{"results":[{"a":1}]}x'],
    ['another key', '{"rows":[{"a":1}]}'],
  ])('counts nothing in a page that needs a closer look: %s', (_, text) => expect(count(text)).toBeUndefined())
})
