import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ManualClock } from '../support/manual-clock.js'
import { Backoff, retry } from '../../src/core/retry.js'

const random = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true })

describe('Backoff', () => {
  it('returns random delays between half and all of a ceiling that doubles up to the longest delay', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 10_000_000 }),
        fc.array(random, { minLength: 40, maxLength: 40 }),
        (longest, chances) => {
          let next = 0
          const backoff = new Backoff({ firstMs: 1_000, longestMs: longest, random: () => chances[next++] ?? 0 })
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

  it('returns different delays for two accounts that failed together', () => {
    const chance = [0.1, 0.9]
    const [one, other] = chance.map((each) =>
      new Backoff({ firstMs: 1_000, longestMs: 180_000, random: () => each }).next(),
    )
    expect(one).not.toBe(other)
  })

  it('waits as long as the provider asks for, up to the longest delay', () => {
    const backoff = new Backoff({ firstMs: 1_000, longestMs: 10_000, random: () => 0 })
    expect(backoff.next(7_000)).toBe(7_000)
    expect(backoff.next(99_000)).toBe(10_000)
    expect(backoff.next(1)).toBe(2_000)
  })

  it('doubles the delay exactly when no random source is given, and starts again after reset', () => {
    const backoff = new Backoff({ firstMs: 100, longestMs: 500 })
    expect([backoff.next(), backoff.next(), backoff.next(), backoff.next()]).toEqual([100, 200, 400, 500])
    backoff.reset()
    expect(backoff.next()).toBe(100)
  })
})

describe('retry', () => {
  const backoff = (): Backoff => new Backoff({ firstMs: 100, longestMs: 1_000 })

  it('returns the result of the first attempt that succeeds', async () => {
    const clock = new ManualClock()
    let calls = 0
    const result = retry(
      async () => {
        calls++
        if (calls < 3) throw new Error(`failure ${calls}`)
        return 'done'
      },
      { clock, backoff: backoff(), shouldRetry: () => true },
    )
    await clock.untilSleeping((ms) => ms === 100)
    await clock.advance(100)
    await clock.untilSleeping((ms) => ms === 200)
    await clock.advance(200)
    await expect(result).resolves.toBe('done')
    expect(calls).toBe(3)
  })

  it('throws the last error when shouldRetry refuses another attempt', async () => {
    const attempts: number[] = []
    const failing = retry(() => Promise.reject(new Error('refused')), {
      clock: new ManualClock(),
      backoff: backoff(),
      shouldRetry: (_error, attempt) => {
        attempts.push(attempt)
        return false
      },
    })
    await expect(failing).rejects.toThrow('refused')
    expect(attempts).toEqual([1])
  })

  it('throws the last error when the signal aborts during the wait', async () => {
    const stop = new AbortController()
    let calls = 0
    const failing = retry(
      async () => {
        calls++
        queueMicrotask(() => stop.abort())
        throw new Error('away')
      },
      { clock: new ManualClock(), backoff: backoff(), signal: stop.signal, shouldRetry: () => true },
    )
    await expect(failing).rejects.toThrow('away')
    expect(calls).toBe(1)
  })
})
