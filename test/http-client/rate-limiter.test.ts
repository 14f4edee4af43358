import { describe, expect, it } from 'vitest'
import { RateLimiter } from '../../src/http-client/rate-limiter.js'
import { ManualClock } from '../support/manual-clock.js'

const setUp = (perSecond: number) => {
  const clock = new ManualClock()
  const stop = new AbortController()
  const limiter = new RateLimiter(perSecond, clock, stop.signal)
  const starts: [name: string, at: number][] = []
  const run = (name: string, request: () => Promise<unknown> = () => Promise.resolve()) =>
    limiter.run(async () => {
      starts.push([name, clock.monotonic()])
      await request()
      return name
    })
  /** Advances the clock once every request that has to wait is asleep. */
  const advance = async (ms: number): Promise<void> => {
    await new Promise((resolve) => setImmediate(resolve))
    await clock.advance(ms)
  }
  return { clock, stop, limiter, starts, run, advance }
}

describe('RateLimiter', () => {
  it('runs requests in the order of the calls, at most so many a second', async () => {
    const { advance, starts, run } = setUp(4)
    const firstThree = Promise.all(['a', 'b', 'c'].map((name) => run(name)))
    await advance(1_000)
    await run('d')
    expect(starts).toEqual([
      ['a', 0],
      ['b', 250],
      ['c', 500],
      ['d', 1_000],
    ])
    expect(await firstThree).toEqual(['a', 'b', 'c'])
  })

  it('runs one request at a time, however long it takes', async () => {
    const { clock, advance, starts, run } = setUp(4)
    const slow = run('slow', () => clock.sleep(900))
    const next = run('next')
    await advance(2_000)
    await Promise.all([slow, next])
    expect(starts).toEqual([
      ['slow', 0],
      ['next', 900],
    ])
  })

  it('rejects a failed request to its caller and goes on with the next one', async () => {
    const { advance, run } = setUp(1_000)
    await expect(run('failing', () => Promise.reject(new Error('refused')))).rejects.toThrow('refused')
    const next = run('next')
    await advance(10)
    expect(await next).toBe('next')
  })

  it('starts no request during a pause, which a second, shorter pause does not shorten', async () => {
    const { advance, limiter, starts, run } = setUp(10)
    limiter.pause(5_000)
    limiter.pause(1_000)
    const delayed = run('a')
    await advance(10_000)
    await delayed
    expect(starts).toEqual([['a', 5_000]])
  })

  it('runs no further request once it is stopped', async () => {
    const { stop, limiter, starts, run } = setUp(10)
    limiter.pause(5_000)
    const waiting = run('a')
    stop.abort()
    expect(await waiting).toBeUndefined()
    expect(await run('b')).toBeUndefined()
    expect(starts).toEqual([])
  })
})
