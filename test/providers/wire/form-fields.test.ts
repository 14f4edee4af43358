import fc from 'fast-check'
import { describe, expect, it, vi } from 'vitest'
import { readLatin1, readWindows1252 } from '../../../src/providers/wire/charset.js'
import { formFields } from '../../../src/providers/wire/form-fields.js'

vi.setConfig({ testTimeout: 60_000 })

const pairs = (text: string): string[][] => formFields(text).map(({ name, value }) => [name, value])

describe('formFields', () => {
  it.each([
    [
      'a=1&b=2',
      [
        ['a', '1'],
        ['b', '2'],
      ],
    ],
    [
      'a=1&a=2&&a',
      [
        ['a', '1'],
        ['a', '2'],
        ['a', ''],
      ],
    ],
    [
      'a=b=c&=d&=',
      [
        ['a', 'b=c'],
        ['', 'd'],
        ['', ''],
      ],
    ],
    [
      'data%5Bid%5D=1&data[text]=x+y',
      [
        ['data[id]', '1'],
        ['data[text]', 'x y'],
      ],
    ],
    ['t=%F0%9F%98%80+%2B%26%3D%25', [['t', '😀 +&=%']]],
    [
      't=100%&u=%zz%4&v=%E9%',
      [
        ['t', '100%'],
        ['u', '%zz%4'],
        ['v', 'é%'],
      ],
    ],
    ['t=caf%E9+%80', [['t', 'café €']]],
    ['t=\u00c3\u00a9', [['t', 'é']]],
    ['t=\u20ac%20😀', [['t', '€ 😀']]],
    ['', []],
  ])('reads %s', (text, expected) => expect(pairs(text)).toEqual(expected))

  it('reads escaped bytes in the character set that it is given', () => {
    expect(formFields('t=%C3%A9', readWindows1252)).toEqual([{ name: 't', value: 'Ã©', type: 'string' }])
  })

  it('reads back whatever a browser writes', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.string({ minLength: 1, unit: 'grapheme' }), fc.string({ unit: 'grapheme' }))),
        (sent) => {
          const body = Buffer.from(new URLSearchParams(sent).toString())
          expect(pairs(readLatin1(body))).toEqual(sent)
        },
      ),
    )
  })

  it('reads any text without throwing', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: fc.constantFrom('%', '&', '=', '+', 'a', '4', '1', 'é', '\u20ac', '\ud800', '\0') }),
        (text) => {
          for (const field of formFields(text)) expect(typeof field.value).toBe('string')
        },
      ),
    )
  })
})
