import { describe, expect, it } from 'vitest'
import { Fencing } from '../../src/kafka/fencing.js'
import { ManualClock } from '../support/manual-clock.js'

const TIMEOUT = 60_000
const fenced = {
  name: 'KafkaJSNumberOfRetriesExceeded',
  cause: { name: 'KafkaJSProtocolError', type: 'INVALID_PRODUCER_EPOCH' },
}
const answered = { name: 'KafkaJSProtocolError', type: 'COORDINATOR_NOT_AVAILABLE' }
const lost = { name: 'KafkaJSRequestTimeoutError' }
const failing = (facts: object) => (): Promise<never> =>
  Promise.reject(Object.assign(new Error('what kafkajs throws'), facts))
const succeeding = (): Promise<string> => Promise.resolve('done')

const fresh = async (): Promise<{ clock: ManualClock; fencing: Fencing }> => {
  const clock = new ManualClock()
  const fencing = new Fencing(clock, TIMEOUT)
  await fencing.initialise(succeeding)
  fencing.transactionBegins()
  return { clock, fencing }
}

describe('being fenced', () => {
  it('means another process when nothing of ours can be the cause', async () => {
    const { fencing } = await fresh()
    expect(fencing.replaced(fenced)).toBe(true)
    expect(fencing.replaced({ message: 'Unknown error code 90' })).toBe(true)
  })

  it('is not what other errors mean', async () => {
    const { fencing } = await fresh()
    expect(fencing.replaced(answered)).toBe(false)
    expect(fencing.replaced(lost)).toBe(false)
    expect(fencing.replaced(undefined)).toBe(false)
  })

  it('may be a time-out of the broker once half of that has passed by the monotonic clock', async () => {
    const { clock, fencing } = await fresh()
    await clock.advance(TIMEOUT / 2 - 1)
    expect(fencing.replaced(fenced)).toBe(true)
    await clock.advance(1)
    expect(fencing.replaced(fenced)).toBe(false)
  })

  it('may be a time-out of the broker when only the wall clock moved on, as after a suspended machine', async () => {
    const { clock, fencing } = await fresh()
    clock.jumpTo(clock.now() + TIMEOUT)
    expect(fencing.replaced(fenced)).toBe(false)
  })

  it('may come from a request of our own that was never answered, for as long as that can be under way', async () => {
    const { clock, fencing } = await fresh()
    await fencing.initialise(failing(lost)).catch(() => undefined)
    await fencing.initialise(succeeding)
    fencing.transactionBegins()
    expect(fencing.replaced(fenced)).toBe(false)
    await clock.advance(30_001)
    fencing.transactionBegins()
    expect(fencing.replaced(fenced)).toBe(true)
  })

  it('does not come from a request of ours that was answered with an error', async () => {
    const { fencing } = await fresh()
    await fencing.initialise(failing(answered)).catch(() => undefined)
    await fencing.initialise(succeeding)
    fencing.transactionBegins()
    expect(fencing.replaced(fenced)).toBe(true)
  })
})
