import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { MAX_TIMER_MS, systemClock } from '../../src/core/clock.js'

describe('systemClock.sleep', () => {
  beforeEach(() => {
    vi.useFakeTimers()
    vi.spyOn(globalThis, 'setTimeout')
  })

  afterEach(() => {
    vi.useRealTimers()
    vi.restoreAllMocks()
  })

  it.each([
    [-1, 0],
    [-Infinity, 0],
    [0, 0],
    [250, 250],
    [MAX_TIMER_MS + 1, MAX_TIMER_MS],
    [Infinity, MAX_TIMER_MS],
  ])('waits within the limits of a timer for %d ms', async (ms, delay) => {
    const slept = systemClock.sleep(ms)
    expect(vi.mocked(setTimeout).mock.calls.map(([, each]) => each)).toEqual([delay])
    await vi.advanceTimersByTimeAsync(delay)
    await slept
  })

  it('clears its timer as soon as the signal aborts', async () => {
    const stop = new AbortController()
    const slept = systemClock.sleep(1_000, stop.signal)
    stop.abort()
    await slept
    expect(vi.getTimerCount()).toBe(0)
  })
})
