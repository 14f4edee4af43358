import fc from 'fast-check'
import { describe, expect, it, vi } from 'vitest'
import { findRows } from '../../../src/providers/wire/json-rows.js'

vi.setConfig({ testTimeout: 60_000 })

const find = (text: string, key?: string) => {
  const bytes = Buffer.from(text)
  const { rows, envelope, keyFound, rest } = findRows(bytes, key)
  const parts = (ranges: number[]): string[] =>
    Array.from({ length: ranges.length / 2 }, (_, i) => bytes.toString('utf8', ranges[2 * i], ranges[2 * i + 1]))
  return {
    rows: parts(rows),
    envelope: parts(envelope),
    keyFound,
    rest: rest && `${rest.kind}: ${bytes.subarray(rest.from).toString()}`,
  }
}

describe('rows in JSON, byte for byte', () => {
  it('are the elements under the key, and the rest is the envelope', () => {
    expect(find(' {"n":1,"results" : [ {"a":"]}\\""} , 2,"x" ],"o":{"results":[3]}} ', 'results')).toEqual({
      rows: ['{"a":"]}\\""}', '2', '"x"'],
      envelope: ['"n":1', '"o":{"results":[3]}'],
      keyFound: true,
      rest: undefined,
    })
  })

  it('are found under a key that is written with escapes, and under one that occurs twice', () => {
    expect(find('{"\\u0072esults":[1 ],"results":[2 ]}', 'results').rows).toEqual(['1', '2'])
  })

  it('are the elements of an array, or whole objects, one after the other', () => {
    expect(find('[{"a":1},{"b":2}]').rows).toEqual(['{"a":1}', '{"b":2}'])
    expect(find('{"a":1}\n{"b":[2]}\n').rows).toEqual(['{"a":1}', '{"b":[2]}'])
    expect(find('{"a":1}', 'results')).toMatchObject({ rows: ['{"a":1}'], keyFound: false, rest: undefined })
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
  ])('of %s', (text, rows, rest) => expect(find(text, 'results')).toMatchObject({ rows, rest }))

  const page = fc.record({ before: fc.jsonValue(), results: fc.array(fc.jsonValue()), after: fc.jsonValue() })

  it('are those that JSON.parse finds', () => {
    fc.assert(
      fc.property(page, fc.constantFrom(undefined, 2), (value, indent) => {
        const { rows, rest } = find(JSON.stringify(value, null, indent), 'results')
        expect(rest).toBeUndefined()
        expect(rows.map((row) => JSON.parse(row) as unknown)).toEqual(JSON.parse(JSON.stringify(value.results)))
      }),
    )
  })

  it('are, of a page that is cut anywhere, the first ones whole and then the beginning of the next', () => {
    const rows = fc.array(fc.dictionary(fc.string({ maxLength: 5 }), fc.jsonValue()), { maxLength: 6 })
    fc.assert(
      fc.property(rows, fc.nat(400), (values, at) => {
        const whole = Buffer.from(JSON.stringify({ results: values }))
        if (at >= whole.length) return
        const found = find(whole.subarray(0, at).toString('latin1'), 'results')
        expect(found.rest).toMatch(/^cut: /)
        const latin1 = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('latin1')
        expect(found.rows).toEqual(values.slice(0, found.rows.length).map(latin1))
        const next = values[found.rows.length]
        if (found.keyFound && next !== undefined)
          expect(`cut: ${latin1(next)}`.startsWith(found.rest as string)).toBe(true)
      }),
    )
  })
})
