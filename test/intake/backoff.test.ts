import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Backoff, retryAfter } from '../../src/intake/backoff.js'

const random = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true })

describe('waits after errors', () => {
  it('never shrink, begin at about a second, and stay within the longest', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 10_000_000 }),
        fc.array(random, { minLength: 40, maxLength: 40 }),
        (longest, chances) => {
          let next = 0
          const backoff = new Backoff(longest, () => chances[next++] ?? 0)
          const ceilings = chances.map((_, errors) => Math.min(longest, 1_000 * 2 ** errors))
          for (const ceiling of ceilings) {
            const wait = backoff.next()
            expect(wait).toBeGreaterThanOrEqual(ceiling / 2)
            expect(wait).toBeLessThanOrEqual(ceiling)
          }
        },
      ),
    )
  })

  it('are different for two accounts that failed together', () => {
    const chance = [0.1, 0.9]
    const [one, other] = chance.map((each) => new Backoff(180_000, () => each).next())
    expect(one).not.toBe(other)
  })

  it('are as long as the provider asks, up to the longest', () => {
    const backoff = new Backoff(10_000, () => 0)
    expect(backoff.next(7_000)).toBe(7_000)
    expect(backoff.next(99_000)).toBe(10_000)
    expect(backoff.next(1)).toBe(2_000)
  })
})

describe('Retry-After', () => {
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
  ])('%s: %i ms', (value, ms) => {
    expect(retryAfter(value, now)).toBe(ms)
  })

  it('is never negative or not a number', () => {
    fc.assert(fc.property(fc.string(), (value) => retryAfter(value, now) >= 0))
  })
})
