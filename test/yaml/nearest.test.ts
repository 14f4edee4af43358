import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { editDistance, nearest } from '../../src/yaml/nearest.js'

describe('editDistance', () => {
  it.each([
    ['limit', 'limit', 0],
    ['limit', 'limt', 1],
    ['limit', 'limmit', 1],
    ['limit', 'lomit', 1],
    ['limit', 'ilmit', 1],
    ['', 'limit', 5],
    ['kitten', 'sitting', 3],
  ])('of %j and %j is %d', (from, to, distance) => {
    expect(editDistance(from, to)).toBe(distance)
  })

  it('is symmetric, and zero for equal texts only', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 12 }), fc.string({ maxLength: 12 }), (a, b) => {
        expect(editDistance(a, b)).toBe(editDistance(b, a))
        expect(editDistance(a, b) === 0).toBe(a === b)
      }),
    )
  })
})

describe('nearest', () => {
  it('ignores case', () => {
    expect(nearest('IDLEDELAY', ['timeout', 'idleDelay'])).toBe('idleDelay')
  })

  it('prefers a candidate that begins with what was written to a shorter one with fewer typing errors', () => {
    expect(nearest('Unix', ['ISO 8601', 'RFC 1123', 'Unix seconds'])).toBe('Unix seconds')
    expect(nearest('limit', ['limits', 'limit'])).toBe('limit')
  })

  it('returns undefined without candidates', () => {
    expect(nearest('x', [])).toBeUndefined()
  })
})
