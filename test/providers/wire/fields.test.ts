import fc from 'fast-check'
import { describe, expect, it, vi } from 'vitest'
import { conflicting, firstSaid, rawOf, said, type Field } from '../../../src/providers/wire/fields.js'

vi.setConfig({ testTimeout: 60_000 })

const text = (name: string, value: string): Field => ({ name, value, type: 'string' })
const list = (...pairs: string[]): Field[] => pairs.map((pair) => text(...(pair.split('=') as [string, string])))

describe('raw holds every field sent', () => {
  it('under its own name, a repeated one by number', () => {
    expect(rawOf(list('a=1', 'b=2', 'a=3'))).toEqual({ 'a[0]': '1', 'a[1]': '3', b: '2' })
  })

  it('also where such a name was itself sent', () => {
    expect(rawOf(list('a=1', 'a[0]=x', 'a=2', 'a[2]=y'))).toEqual({
      'a[0]': 'x',
      'a[1]': '1',
      'a[2]': 'y',
      'a[3]': '2',
    })
  })

  it('and no name becomes a prototype', () => {
    const raw = rawOf(list('__proto__=1', 'constructor=2', 'toString=3'))
    expect(Object.entries(raw)).toEqual([
      ['__proto__', '1'],
      ['constructor', '2'],
      ['toString', '3'],
    ])
    expect(Object.getPrototypeOf(raw)).toBe(Object.prototype)
    expect(Object.keys(rawOf(list('__proto__=1', '__proto__=2')))).toEqual(['__proto__[0]', '__proto__[1]'])
  })

  it('whatever the names are', () => {
    const name = fc.oneof(fc.constantFrom('a', 'a[0]', 'a[1]', 'a[0][0]', '__proto__', ''), fc.string({ maxLength: 3 }))
    fc.assert(
      fc.property(fc.array(fc.tuple(name, fc.string())), (pairs) => {
        const raw = rawOf(pairs.map(([each, value]) => text(each, value)))
        expect(Object.values(raw).sort()).toEqual(pairs.map(([, value]) => value).sort())
      }),
    )
  })
})

describe('what a field says', () => {
  it('is its value without blanks, and nothing where it is empty or null', () => {
    expect(said(text('a', ' x '))).toBe('x')
    expect(said({ name: 'a', value: '3', type: 'number' })).toBe('3')
    for (const field of [undefined, text('a', ' '), { name: 'a', value: 'null', type: 'null' } as const]) {
      expect(said(field)).toBeUndefined()
    }
    expect(said({ name: 'a', value: '[]', type: 'empty' })).toBeUndefined()
    expect(firstSaid(undefined, text('a', ''), text('b', 'x'))?.name).toBe('b')
  })

  it('is in doubt when it was said twice in different words', () => {
    const names = new Set(['a'])
    expect(conflicting(list('a=1', 'a=1', 'b=1', 'b=2'), names)).toBeUndefined()
    expect(conflicting(list('a=1', 'a=2'), names)).toBe('a')
    expect(conflicting([text('a', 'null'), { name: 'a', value: 'null', type: 'null' }], names)).toBe('a')
  })
})
