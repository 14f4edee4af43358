import fc from 'fast-check'
import { describe, expect, it, vi } from 'vitest'
import { jsonFields } from '../../../src/providers/wire/json-fields.js'

vi.setConfig({ testTimeout: 60_000 })

const pairs = (text: string): string[][] | string => {
  const fields = jsonFields(text)
  return Array.isArray(fields) ? fields.map(({ name, value, type }) => [name, value, type]) : fields.reason
}

describe('jsonFields', () => {
  it('replaces half of a surrogate pair, which neither UTF-8 nor an Avro string can hold', () => {
    expect(pairs('{"a\\ude00":"cut \\ud83d","whole":"\\ud83d\\ude00"}')).toEqual([
      ['a\ufffd', 'cut \ufffd', 'string'],
      ['whole', '😀', 'string'],
    ])
  })

  it('keeps the exact value beside one in which half of a surrogate pair is replaced', () => {
    expect(jsonFields('{"a":"\\ud83d","b":"\\ud83d\\ude00","c":"\ufffd"}')).toEqual([
      { name: 'a', value: '\ufffd', type: 'string', exact: '\ud83d' },
      { name: 'b', value: '😀', type: 'string' },
      { name: 'c', value: '\ufffd', type: 'string' },
    ])
  })

  it.each([
    ['{}', []],
    [' { "a" : "b" } ', [['a', 'b', 'string']]],
    [
      '{"n":1.0,"m":12345678901234567890,"e":-1E+3}',
      [
        ['n', '1.0', 'number'],
        ['m', '12345678901234567890', 'number'],
        ['e', '-1E+3', 'number'],
      ],
    ],
    [
      '{"t":true,"f":false,"z":null}',
      [
        ['t', 'true', 'boolean'],
        ['f', 'false', 'boolean'],
        ['z', 'null', 'null'],
      ],
    ],
    [
      '{"d":{"id":1,"x":{"y":[2,{"z":"3"}]}}}',
      [
        ['d[id]', '1', 'number'],
        ['d[x][y][0]', '2', 'number'],
        ['d[x][y][1][z]', '3', 'string'],
      ],
    ],
    [
      '{"a":{ },"b":[\n]}',
      [
        ['a', '{ }', 'empty'],
        ['b', '[\n]', 'empty'],
      ],
    ],
    [
      '{"a":1,"a":2,"a":2}',
      [
        ['a', '1', 'number'],
        ['a', '2', 'number'],
        ['a', '2', 'number'],
      ],
    ],
    ['{"__proto__":{"a":1}}', [['__proto__[a]', '1', 'number']]],
    ['{"\\u0061\\"":"\\ud83d\\ude00\\n\\/"}', [['a"', '😀\n/', 'string']]],
    ['{"a":"one\ntwo \\u00e9\t"}', [['a', 'one\ntwo é\t', 'string']]],
    ['{"msisdn":0033612345678}', [['msisdn', '0033612345678', 'number']]],
  ])('reads %s', (text, expected) => expect(pairs(text)).toEqual(expected))

  it.each([
    '',
    '[]',
    '"a"',
    '{',
    '{"a"',
    '{"a":',
    '{"a":"',
    '{"a":"\\',
    '{"a":1',
    '{"a":1,',
    '{"a":1,}',
    '{"a" 1}',
    '{a:1}',
    '{"a":1}x',
    '{"a":nul}',
    '{"a":"\\x41"}',
    '{"a":"\\u12"}',
    '{"a":[1 2]}',
    '{"a":[,]}',
    '{"a":-}',
    "{'a':1}",
  ])('reports that %s is not JSON', (text) => expect(pairs(text)).toBe('not-json'))

  it('reports what it expected, what it found, and where', () => {
    expect(jsonFields('{"a":oops}')).toEqual({
      reason: 'not-json',
      detail: 'a value was expected at character 5, found "oops}"',
    })
  })

  it('reports nesting, names and fields that exceed the limits as too complex', () => {
    expect(pairs(`${'{"a":'.repeat(100)}1${'}'.repeat(100)}`)).toBe('too-complex')
    expect(pairs(`{"a":${'['.repeat(200_000)}`)).toBe('too-complex')
    expect(pairs(`{"${'k'.repeat(500_000)}":[${'1,'.repeat(200_000)}1]}`)).toBe('too-complex')
  })

  it('finds the same values as JSON.parse', () => {
    const flat = (value: unknown, name: string): [string, unknown][] => {
      if (typeof value !== 'object' || value === null) return [[name, value]]
      const entries = Object.entries(value)
      if (entries.length === 0) return [[name, value]]
      return entries.flatMap(([key, each]) => flat(each, name === '' ? key : `${name}[${key}]`))
    }
    const object = fc.dictionary(fc.string({ minLength: 1 }), fc.jsonValue({ maxDepth: 4 }), { minKeys: 1 })
    fc.assert(
      fc.property(object, fc.constantFrom(undefined, 1, '\t'), (value, indent) => {
        const fields = jsonFields(JSON.stringify(value, null, indent))
        if (!Array.isArray(fields)) throw new Error(fields.detail)
        const expected = flat(JSON.parse(JSON.stringify(value)), '')
        expect(
          fields.map(({ name, value: text, type }) => [name, type === 'string' ? text : (JSON.parse(text) as unknown)]),
        ).toEqual(expected)
      }),
    )
  })

  it('reads the same fields with and without another field that is written with an escape', () => {
    const text = fc.string({ unit: 'binary' })
    const object = fc.dictionary(text, fc.oneof(text, fc.jsonValue({ maxDepth: 3, stringUnit: 'binary' })))
    fc.assert(
      fc.property(object, fc.boolean(), (value, isCut) => {
        // Line breaks and such stand unescaped, as in a text message.
        const whole = JSON.stringify(value).replaceAll(/\\[nrtbf]/g, '\n')
        const plain = isCut ? whole.slice(0, -2) : whole
        const withEscape = `{"\\u0061":"\\u0062",${plain.slice(1)}`
        const fields = jsonFields(plain)
        const others = jsonFields(withEscape)
        if (whole === '{}') return
        if (Array.isArray(fields)) expect(others).toEqual([{ name: 'a', value: 'b', type: 'string' }, ...fields])
        else expect(others).toMatchObject({ reason: fields.reason })
      }),
    )
  })
})
