import { describe, expect, it } from 'vitest'
import { Throttle, ThrottledTooLongError } from '../../src/kafka/throttle.js'
import { ManualClock } from '../support/manual-clock.js'

const create = () => {
  const clock = new ManualClock()
  const pauses: number[] = []
  const throttle = new Throttle(clock, { throttled: (ms) => void pauses.push(ms) })
  const closing = new AbortController()
  const wait = (nodeId: number, latest?: number): Promise<string> =>
    throttle.wait(nodeId, closing.signal, latest).then(() => 'sent')
  return { clock, pauses, throttle, closing, wait }
}

describe('Throttling', () => {
  it('holds requests to the broker that asked for a pause until it has passed, and no others', async () => {
    const { clock, pauses, throttle, wait } = create()
    throttle.note(1, 5_000)
    let sent = ''
    void wait(1).then((text) => (sent = text))
    expect(await wait(2)).toBe('sent')
    await clock.advance(4_999)
    expect(sent).toBe('')
    await clock.advance(1)
    expect(sent).toBe('sent')
    expect(pauses).toEqual([5_000])
  })

  it('reports no pause of length 0', async () => {
    const { pauses, throttle, wait } = create()
    throttle.note(1, 0)
    expect(await wait(1)).toBe('sent')
    expect(pauses).toEqual([])
  })

  it('rejects at once if the pause is longer than the request is worth something', async () => {
    const { clock, throttle, wait } = create()
    throttle.note(1, 5_000)
    await expect(wait(1, clock.monotonic() + 4_999)).rejects.toBeInstanceOf(ThrottledTooLongError)
    await expect(wait(1, clock.monotonic() + 4_999)).rejects.toThrow('another 5 s because of a quota')
  })

  it('rejects when the producer is closed during the pause', async () => {
    const { throttle, closing, wait } = create()
    throttle.note(1, 5_000)
    const waiting = wait(1)
    closing.abort()
    await expect(waiting).rejects.toThrow('closed while Kafka throttled it')
  })
})
