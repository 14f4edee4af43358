import { describe, expect, it } from 'vitest'
import { withDeadline } from '../../../src/kafka/kafkajs-workarounds/deadline.js'
import { ManualClock } from '../../support/manual-clock.js'

const never = new Promise<never>(() => undefined)

describe('what is waited for', () => {
  const setUp = () => {
    const clock = new ManualClock()
    let heard = -Infinity
    const patience = { silence: 300, longest: 1_000, heardAt: () => heard }
    return { clock, patience, hear: () => (heard = clock.monotonic()) }
  }

  it('is what it resolves or rejects with', async () => {
    const { clock, patience } = setUp()
    await expect(withDeadline(Promise.resolve(1), patience, 'it', clock)).resolves.toBe(1)
    await expect(withDeadline(Promise.reject(new Error('no')), patience, 'it', clock)).rejects.toThrow('no')
  })

  it('is given up when nothing is heard', async () => {
    const { clock, patience } = setUp()
    let ended = false
    const outcome = expect(
      withDeadline(never, patience, 'a send', clock).finally(() => (ended = true)),
    ).rejects.toThrow('a send did not end: nothing was heard of Kafka for 300 ms')
    await clock.advance(299)
    expect(ended).toBe(false)
    await clock.advance(1)
    await outcome
  })

  it('is waited for while something is heard, but not for ever', async () => {
    const { clock, patience, hear } = setUp()
    let ended = false
    const outcome = expect(
      withDeadline(never, patience, 'a send', clock).finally(() => (ended = true)),
    ).rejects.toThrow('a send did not end within 1000 ms, though Kafka answers')
    for (let passed = 0; passed < 900; passed += 150) {
      await clock.advance(150)
      hear()
    }
    await clock.advance(99)
    expect(ended).toBe(false)
    await clock.advance(1)
    await outcome
  })
})
