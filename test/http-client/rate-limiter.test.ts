import { describe, expect, it } from 'vitest'
import { RateLimiter } from '../../src/http-client/rate-limiter.js'
import { ManualClock } from '../support/manual-clock.js'

const setup = (perSecond: number) => {
  const clock = new ManualClock()
  const stop = new AbortController()
  const limit = new RateLimiter(perSecond, clock, stop.signal)
  const turns: [name: string, at: number][] = []
  const turn = (name: string, then: () => Promise<unknown> = () => Promise.resolve()) =>
    limit.run(async () => {
      turns.push([name, clock.monotonic()])
      await then()
      return name
    })
  /** Lets so much time pass once everybody waits who will. */
  const pass = async (ms: number): Promise<void> => {
    await new Promise((resolve) => setImmediate(resolve))
    await clock.advance(ms)
  }
  return { clock, stop, limit, turns, turn, pass }
}

describe('a rate limit', () => {
  it('gives turns in the order in which they were asked for, so many a second', async () => {
    const { pass, turns, turn } = setup(4)
    const all = Promise.all(['a', 'b', 'c'].map((name) => turn(name)))
    await pass(1_000)
    await turn('d')
    expect(turns).toEqual([
      ['a', 0],
      ['b', 250],
      ['c', 500],
      ['d', 1_000],
    ])
    expect(await all).toEqual(['a', 'b', 'c'])
  })

  it('has one request at a time, however long that takes', async () => {
    const { clock, pass, turns, turn } = setup(4)
    const slow = turn('slow', () => clock.sleep(900))
    const next = turn('next')
    await pass(2_000)
    await Promise.all([slow, next])
    expect(turns).toEqual([
      ['slow', 0],
      ['next', 900],
    ])
  })

  it('goes on after a request that fails, and tells who made it', async () => {
    const { turn } = setup(1_000)
    await expect(turn('bad', () => Promise.reject(new Error('no')))).rejects.toThrow('no')
    const { pass, turn: other } = setup(1_000)
    const next = other('next')
    await pass(10)
    expect(await next).toBe('next')
  })

  it('pauses for as long as it is told, and no less for being told again', async () => {
    const { pass, limit, turns, turn } = setup(10)
    limit.pause(5_000)
    limit.pause(1_000)
    const waits = turn('a')
    await pass(10_000)
    await waits
    expect(turns).toEqual([['a', 5_000]])
  })

  it('gives nobody a turn once it is stopped', async () => {
    const { stop, limit, turns, turn } = setup(10)
    limit.pause(5_000)
    const waits = turn('a')
    stop.abort()
    expect(await waits).toBeUndefined()
    expect(await turn('b')).toBeUndefined()
    expect(turns).toEqual([])
  })
})
