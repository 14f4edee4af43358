import { beforeEach, describe, expect, it } from 'vitest'
import { QueryGate } from '../../src/replicas/query-gate.js'
import { ManualClock } from '../support/manual-clock.js'

const CALM = 30_000

let clock: ManualClock
let sole: boolean
let followedSince: number | undefined
let looks: number
let gate: QueryGate
let stop: AbortController

beforeEach(() => {
  clock = new ManualClock()
  sole = true
  followedSince = undefined
  looks = 0
  stop = new AbortController()
  gate = new QueryGate({
    sole: () => sole,
    followedFor: () => {
      looks++
      return Promise.resolve(followedSince === undefined ? undefined : clock.monotonic() - followedSince)
    },
    calm: CALM,
    clock,
  })
})

/** What a promise came to so far. */
const soFar = async (promise: Promise<boolean>): Promise<boolean | 'waits'> => {
  const turns = (async () => {
    for (let i = 0; i < 5; i++) await new Promise(setImmediate)
    return 'waits' as const
  })()
  return Promise.race([promise, turns])
}

describe('a query', () => {
  it('waits until what others publish was followed for a while without a break', async () => {
    const ready = gate.waitToQuery(stop.signal)
    await clock.advance(CALM)
    followedSince = clock.monotonic()
    await clock.advance(CALM - 1_000)
    expect(await soFar(ready)).toBe('waits')
    await clock.advance(1_000)
    expect(await soFar(ready)).toBe(true)
  })

  it('waits for the word of the group', async () => {
    followedSince = 0
    await clock.advance(CALM)
    sole = false
    const ready = gate.waitToQuery(stop.signal)
    await clock.advance(CALM)
    expect(await soFar(ready)).toBe('waits')
    sole = true
    await clock.advance(250)
    expect(await soFar(ready)).toBe(true)
  })

  it('ends waiting when it is stopped', async () => {
    const ready = gate.waitToQuery(stop.signal)
    stop.abort()
    expect(await soFar(ready)).toBe(false)
  })

  it('does not look at the topics for each of many', async () => {
    followedSince = 0
    await clock.advance(CALM)
    for (let i = 0; i < 20; i++) {
      expect(await gate.waitToQuery(stop.signal)).toBe(true)
      await clock.advance(50)
    }
    expect(looks).toBe(1)
  })
})

describe('an answer', () => {
  beforeEach(async () => {
    followedSince = 0
    await clock.advance(CALM)
    await gate.waitToQuery(stop.signal)
  })

  it('is kept once what others were about to publish is known', async () => {
    const settled = gate.waitToStore(clock.monotonic(), stop.signal)
    await clock.advance(2_999)
    expect(await soFar(settled)).toBe('waits')
    const before = looks
    await clock.advance(1)
    expect(await soFar(settled)).toBe(true)
    expect(looks).toBe(before + 1)
  })

  it("is let go of when the source may be another's by then, or the topics can not be followed", async () => {
    const first = gate.waitToStore(clock.monotonic(), stop.signal)
    sole = false
    await clock.advance(3_000)
    expect(await soFar(first)).toBe(false)
    sole = true
    followedSince = undefined
    const second = gate.waitToStore(clock.monotonic(), stop.signal)
    await clock.advance(3_000)
    expect(await soFar(second)).toBe(false)
  })
})
