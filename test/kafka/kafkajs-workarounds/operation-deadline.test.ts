import { describe, expect, it } from 'vitest'
import { withDeadline } from '../../../src/kafka/kafkajs-workarounds/operation-deadline.js'
import { ManualClock } from '../../support/manual-clock.js'

const never = new Promise<never>(() => undefined)

describe('withDeadline', () => {
  const setUp = () => {
    const clock = new ManualClock()
    let lastReceivedAt = -Infinity
    const deadline = { maxSilenceMs: 300, maxTotalMs: 1_000, lastReceivedAt: () => lastReceivedAt }
    return {
      clock,
      deadline,
      receive: () => {
        lastReceivedAt = clock.monotonic()
      },
    }
  }

  it('settles like the operation', async () => {
    const { clock, deadline } = setUp()
    await expect(withDeadline(Promise.resolve(1), deadline, 'it', clock)).resolves.toBe(1)
    await expect(withDeadline(Promise.reject(new Error('no')), deadline, 'it', clock)).rejects.toThrow('no')
  })

  it('rejects when no byte has arrived for the longest silence', async () => {
    const { clock, deadline } = setUp()
    let ended = false
    const outcome = expect(
      withDeadline(never, deadline, 'a send', clock).finally(() => {
        ended = true
      }),
    ).rejects.toThrow('a send did not end: Kafka sent nothing for 300 ms')
    await clock.advance(299)
    expect(ended).toBe(false)
    await clock.advance(1)
    await outcome
  })

  it('waits while bytes arrive, but not longer than the total limit', async () => {
    const { clock, deadline, receive } = setUp()
    let ended = false
    const outcome = expect(
      withDeadline(never, deadline, 'a send', clock).finally(() => {
        ended = true
      }),
    ).rejects.toThrow('a send did not end within 1000 ms, although Kafka answers')
    for (let passed = 0; passed < 900; passed += 150) {
      await clock.advance(150)
      receive()
    }
    await clock.advance(99)
    expect(ended).toBe(false)
    await clock.advance(1)
    await outcome
  })
})
