import { beforeEach, describe, expect, it } from 'vitest'
import { MinuteSeries } from '../../src/admin/minute-series.js'
import { ManualClock } from '../support/manual-clock.js'

const MINUTE_MS = 60_000
let clock: ManualClock
let series: MinuteSeries

beforeEach(() => {
  clock = new ManualClock()
  series = new MinuteSeries(clock)
})

describe('MinuteSeries', () => {
  it('has a number for each minute since the start, and 0 for a minute without events', async () => {
    series.add(2)
    series.add(3)
    await clock.advance(2 * MINUTE_MS)
    series.add(1)
    expect(series.values()).toEqual([5, 0, 1])
    expect(series.completeMinutes()).toEqual([5, 0])
  })

  it('forgets what is older than an hour', async () => {
    series.add(7)
    await clock.advance(59 * MINUTE_MS)
    expect(series.values()).toHaveLength(60)
    expect(series.values()[0]).toBe(7)
    await clock.advance(MINUTE_MS)
    series.add(1)
    expect(series.values()).toHaveLength(60)
    expect(series.values().reduce((sum, value) => sum + value)).toBe(1)
  })

  it('keeps the highest value of a minute, and the level of a gauge through minutes in which it was not read', async () => {
    series.raise(4)
    series.raise(9)
    series.raise(6)
    await clock.advance(2 * MINUTE_MS)
    expect(series.levels()).toEqual([9, 9, 9])
    series.raise(0)
    expect(series.levels()).toEqual([9, 9, 0])
  })
})
