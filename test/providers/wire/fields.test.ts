import fc from 'fast-check'
import { describe, expect, it, vi } from 'vitest'
import {
  exactValue,
  findConflict,
  firstPresent,
  presentValue,
  toRaw,
  unambiguousValue,
  type Field,
} from '../../../src/providers/wire/fields.js'

vi.setConfig({ testTimeout: 60_000 })

const text = (name: string, value: string): Field => ({ name, value, type: 'string' })
const list = (...pairs: string[]): Field[] => pairs.map((pair) => text(...(pair.split('=') as [string, string])))

describe('toRaw', () => {
  it('keeps each field under its name, and the fields of a repeated name under numbered names', () => {
    expect(toRaw(list('a=1', 'b=2', 'a=3'))).toEqual({ 'a[0]': '1', 'a[1]': '3', b: '2' })
  })

  it('skips numbered names that were sent as such', () => {
    expect(toRaw(list('a=1', 'a[0]=x', 'a=2', 'a[2]=y'))).toEqual({
      'a[0]': 'x',
      'a[1]': '1',
      'a[2]': 'y',
      'a[3]': '2',
    })
  })

  it('keeps `__proto__` as an ordinary property', () => {
    const raw = toRaw(list('__proto__=1', 'constructor=2', 'toString=3'))
    expect(Object.entries(raw)).toEqual([
      ['__proto__', '1'],
      ['constructor', '2'],
      ['toString', '3'],
    ])
    expect(Object.getPrototypeOf(raw)).toBe(Object.prototype)
    expect(Object.keys(toRaw(list('__proto__=1', '__proto__=2')))).toEqual(['__proto__[0]', '__proto__[1]'])
  })

  it('keeps every value, whatever the names are', () => {
    const name = fc.oneof(fc.constantFrom('a', 'a[0]', 'a[1]', 'a[0][0]', '__proto__', ''), fc.string({ maxLength: 3 }))
    fc.assert(
      fc.property(fc.array(fc.tuple(name, fc.string())), (pairs) => {
        const raw = toRaw(pairs.map(([each, value]) => text(each, value)))
        expect(Object.values(raw).sort()).toEqual(pairs.map(([, value]) => value).sort())
      }),
    )
  })
})

describe('presentValue', () => {
  it('returns the value without white space, and undefined for a field that is absent, blank, empty or null', () => {
    expect(presentValue(text('a', ' x '))).toBe('x')
    expect(presentValue({ name: 'a', value: '3', type: 'number' })).toBe('3')
    for (const field of [undefined, text('a', ' '), { name: 'a', value: 'null', type: 'null' } as const]) {
      expect(presentValue(field)).toBeUndefined()
    }
    expect(presentValue({ name: 'a', value: '[]', type: 'empty' })).toBeUndefined()
  })
})

describe('firstPresent', () => {
  it('returns the first field that has a present value', () => {
    expect(firstPresent(undefined, text('a', ''), text('b', 'x'))?.name).toBe('b')
  })
})

describe('findConflict', () => {
  it('returns a name that was sent twice with different values', () => {
    const names = new Set(['a'])
    expect(findConflict(list('a=1', 'a=1', 'b=1', 'b=2'), names)).toBeUndefined()
    expect(findConflict(list('a=1', 'a=2'), names)).toBe('a')
    expect(findConflict([text('a', 'null'), { name: 'a', value: 'null', type: 'null' }], names)).toBe('a')
  })
})

describe('exactValue', () => {
  it('returns the value as sent, also where the value of the record differs', () => {
    expect(exactValue({ name: 'a', value: '\ufffd', type: 'string', exact: ' \ud83d ' })).toBe('\ud83d')
    expect(exactValue(text('a', ' x '))).toBe('x')
    expect(exactValue(text('a', ' '))).toBeUndefined()
    expect(exactValue(undefined)).toBeUndefined()
  })
})

describe('unambiguousValue', () => {
  it('returns the value if it was sent once, or several times', () => {
    expect(unambiguousValue(list('a=1'))).toBe('1')
    expect(unambiguousValue(list('a=1', 'a=1'))).toBe('1')
  })

  it('returns undefined for several values, for none, and for an absent one', () => {
    expect(unambiguousValue(list('a=1', 'a=2'))).toBeUndefined()
    expect(unambiguousValue(list('a=1', 'a='))).toBeUndefined()
    expect(unambiguousValue([])).toBeUndefined()
    expect(unambiguousValue(list('a='))).toBeUndefined()
    expect(unambiguousValue(list('a=null'))).toBeUndefined()
    const halves = ['\ud83d', '\ud83e'].map((exact): Field => ({ name: 'a', value: '\ufffd', type: 'string', exact }))
    expect(unambiguousValue(halves)).toBeUndefined()
    expect(findConflict(halves, new Set(['a']))).toBe('a')
  })
})
