import { beforeEach, describe, expect, it } from 'vitest'
import { QueryGate } from '../../src/replicas/query-gate.js'
import { staysPending } from '../support/event-loop.js'
import { ManualClock } from '../support/manual-clock.js'

const MIN_FOLLOWED_MS = 30_000

let clock: ManualClock
let ownsExclusively: boolean
let followedSince: number | undefined
let checks: number
let gate: QueryGate
let stop: AbortController

beforeEach(() => {
  clock = new ManualClock()
  ownsExclusively = true
  followedSince = undefined
  checks = 0
  stop = new AbortController()
  gate = new QueryGate({
    ownsExclusively: () => ownsExclusively,
    followedFor: () => {
      checks++
      return Promise.resolve(followedSince === undefined ? undefined : clock.monotonic() - followedSince)
    },
    minFollowedMs: MIN_FOLLOWED_MS,
    clock,
  })
})

/** Returns what the promise has resolved with, or 'waits'. */
const outcomeSoFar = async (promise: Promise<boolean>): Promise<boolean | 'waits'> => {
  if (await staysPending(promise)) return 'waits'
  return promise
}

describe('A query that passes the query gate', () => {
  it('waits until the topics have been followed for the required time without a break', async () => {
    const ready = gate.waitToQuery(stop.signal)
    await clock.advance(MIN_FOLLOWED_MS)
    followedSince = clock.monotonic()
    await clock.advance(MIN_FOLLOWED_MS - 1_000)
    expect(await outcomeSoFar(ready)).toBe('waits')
    await clock.advance(1_000)
    expect(await outcomeSoFar(ready)).toBe(true)
  })

  it('waits until the group has assigned the source', async () => {
    followedSince = 0
    await clock.advance(MIN_FOLLOWED_MS)
    ownsExclusively = false
    const ready = gate.waitToQuery(stop.signal)
    await clock.advance(MIN_FOLLOWED_MS)
    expect(await outcomeSoFar(ready)).toBe('waits')
    ownsExclusively = true
    await clock.advance(250)
    expect(await outcomeSoFar(ready)).toBe(true)
  })

  it('is refused when the signal aborts', async () => {
    const ready = gate.waitToQuery(stop.signal)
    stop.abort()
    expect(await outcomeSoFar(ready)).toBe(false)
  })

  it('reads the topics once for many queries within a short time', async () => {
    followedSince = 0
    await clock.advance(MIN_FOLLOWED_MS)
    for (let i = 0; i < 20; i++) {
      expect(await gate.waitToQuery(stop.signal)).toBe(true)
      await clock.advance(50)
    }
    expect(checks).toBe(1)
  })
})

describe('An answer that passes the query gate', () => {
  beforeEach(async () => {
    followedSince = 0
    await clock.advance(MIN_FOLLOWED_MS)
    await gate.waitToQuery(stop.signal)
  })

  it('is stored once everything is known that others were about to publish', async () => {
    const settled = gate.waitToStore(clock.monotonic(), stop.signal)
    await clock.advance(2_999)
    expect(await outcomeSoFar(settled)).toBe('waits')
    const before = checks
    await clock.advance(1)
    expect(await outcomeSoFar(settled)).toBe(true)
    expect(checks).toBe(before + 1)
  })

  it('is discarded if another replica may own the source, or if the topics cannot be followed', async () => {
    const first = gate.waitToStore(clock.monotonic(), stop.signal)
    ownsExclusively = false
    await clock.advance(3_000)
    expect(await outcomeSoFar(first)).toBe(false)
    ownsExclusively = true
    followedSince = undefined
    const second = gate.waitToStore(clock.monotonic(), stop.signal)
    await clock.advance(3_000)
    expect(await outcomeSoFar(second)).toBe(false)
  })
})
