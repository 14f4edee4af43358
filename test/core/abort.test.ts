import { getEventListeners } from 'node:events'
import { describe, expect, it } from 'vitest'
import { orAborted, orTimeout, untilAborted } from '../../src/core/abort.js'
import { ManualClock } from '../support/manual-clock.js'

const never = new Promise<never>(() => undefined)

describe('orAborted', () => {
  it('settles like the promise and removes its listener', async () => {
    const { signal } = new AbortController()
    expect(await orAborted(Promise.resolve('done'), signal)).toBe('done')
    await expect(orAborted(Promise.reject(new Error('failed')), signal)).rejects.toThrow('failed')
    expect(getEventListeners(signal, 'abort')).toEqual([])
  })

  it('resolves as soon as the signal aborts and ignores a later rejection', async () => {
    const stop = new AbortController()
    let fail = (): void => undefined
    const failing = new Promise<never>((_resolve, reject) => {
      fail = () => reject(new Error('too late'))
    })
    const result = orAborted(failing, stop.signal)
    stop.abort()
    expect(await result).toBe('aborted')
    fail()
  })

  it('resolves at once with a signal that has already aborted', async () => {
    expect(await orAborted(never, AbortSignal.abort())).toBe('aborted')
    expect(await untilAborted(AbortSignal.abort())).toBe('aborted')
  })
})

describe('orTimeout', () => {
  it('settles like the promise and ends its timer', async () => {
    const clock = new ManualClock()
    expect(await orTimeout(Promise.resolve('done'), 1_000, clock)).toBe('done')
    await expect(orTimeout(Promise.reject(new Error('failed')), 1_000, clock)).rejects.toThrow('failed')
    expect(clock.sleeps).toEqual([])
  })

  it('resolves after the time if the promise has not settled', async () => {
    const clock = new ManualClock()
    const result = orTimeout(never, 1_000, clock)
    await clock.advance(1_000)
    expect(await result).toBe('timeout')
  })
})
