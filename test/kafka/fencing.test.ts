import { describe, expect, it } from 'vitest'
import { BrokerError } from '../../src/kafka/broker-error.js'
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
  await fencing.trackInitProducerId(succeeding)
  fencing.markTransactionStart()
  return { clock, fencing }
}

describe('Fencing', () => {
  it('reports a takeover when neither a timeout nor a late request can be the cause', async () => {
    const { fencing } = await fresh()
    expect(fencing.isReplaced(fenced)).toBe(true)
    expect(fencing.isReplaced(new BrokerError('EndTxn', { errorCode: 90 }))).toBe(true)
  })

  it('reports no takeover for other errors', async () => {
    const { fencing } = await fresh()
    expect(fencing.isReplaced(answered)).toBe(false)
    expect(fencing.isReplaced(lost)).toBe(false)
    expect(fencing.isReplaced(undefined)).toBe(false)
  })

  it('reports no takeover once half of the transaction timeout has passed by the monotonic clock', async () => {
    const { clock, fencing } = await fresh()
    await clock.advance(TIMEOUT / 2 - 1)
    expect(fencing.isReplaced(fenced)).toBe(true)
    await clock.advance(1)
    expect(fencing.isReplaced(fenced)).toBe(false)
  })

  it('reports no takeover when only the wall clock has moved on, as after a suspension of the machine', async () => {
    const { clock, fencing } = await fresh()
    clock.jumpTo(clock.now() + TIMEOUT)
    expect(fencing.isReplaced(fenced)).toBe(false)
  })

  it('reports no takeover while an unanswered InitProducerId may still be handled', async () => {
    const { clock, fencing } = await fresh()
    await fencing.trackInitProducerId(failing(lost)).catch(() => undefined)
    await fencing.trackInitProducerId(succeeding)
    fencing.markTransactionStart()
    expect(fencing.isReplaced(fenced)).toBe(false)
    await clock.advance(30_001)
    fencing.markTransactionStart()
    expect(fencing.isReplaced(fenced)).toBe(true)
  })

  it('reports a takeover after an InitProducerId that was answered with an error', async () => {
    const { fencing } = await fresh()
    await fencing.trackInitProducerId(failing(answered)).catch(() => undefined)
    await fencing.trackInitProducerId(succeeding)
    fencing.markTransactionStart()
    expect(fencing.isReplaced(fenced)).toBe(true)
  })
})
