import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseRetryAfter } from '../../src/http-client/answer.js'

describe('parseRetryAfter', () => {
  const now = Date.UTC(2026, 0, 15, 12)
  it.each([
    ['120', 120_000],
    [' 5 ', 5_000],
    ['Thu, 15 Jan 2026 12:00:30 GMT', 30_000],
    ['Thu, 15 Jan 2026 11:00:00 GMT', 0],
    ['-1', 0],
    ['1.5', 0],
    ['soon', 0],
    ['99999999999999999999', 0],
    ['', 0],
    [undefined, 0],
  ])('reads "%s" as %i ms', (value, ms) => {
    expect(parseRetryAfter(value, now)).toBe(ms)
  })

  it('returns neither a negative number nor NaN for any text', () => {
    fc.assert(fc.property(fc.string(), (value) => parseRetryAfter(value, now) >= 0))
  })
})
