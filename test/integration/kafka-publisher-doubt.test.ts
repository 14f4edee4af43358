/** Requests and responses that are lost between publisher and broker, and how exactly once survives that. */
import { randomUUID } from 'node:crypto'
import pino from 'pino'
import { afterEach, beforeEach, describe, expect, inject, it, onTestFinished } from 'vitest'
import { systemClock } from '../../src/core/clock.js'
import { ExactlyOncePublisher } from '../../src/kafka/exactly-once-publisher.js'
import type { OutgoingRecord } from '../../src/kafka/publisher.js'
import type { KafkaSettings } from '../../src/kafka/settings.js'
import { createTopic, withAdmin } from '../../dev/kafka/topics.js'
import { readCommitted } from '../../dev/kafka/committed-reader.js'
import { publishAll } from '../support/publish-all.js'
import { publisherSettings } from '../support/publisher-settings.js'
import { API, type Handling, KafkaProxy } from '../../dev/fault-injection/kafka-proxy.js'

const JOURNAL = 'a-journal'
const log = pino({ level: 'silent' })

describe('The exactly-once publisher, when responses are lost', () => {
  let proxy: KafkaProxy
  let settings: KafkaSettings
  let publisher: ExactlyOncePublisher

  beforeEach(async () => {
    proxy = await KafkaProxy.startInFrontOf(inject('brokers')[0]!)
    const name = randomUUID()
    settings = publisherSettings([proxy.address], name, { requestTimeout: 1_000 })
    // The topics are created without the proxy, because the tests count what passes through it.
    const topicCreator = new ExactlyOncePublisher({
      settings: publisherSettings(inject('brokers'), name, { requestTimeout: 10_000 }),
      clock: systemClock,
      log,
    })
    await topicCreator.open('topic-creator')
    await topicCreator.close()
    publisher = new ExactlyOncePublisher({ settings, clock: systemClock, log })
  })
  afterEach(async () => {
    await publisher.close()
    await proxy.close()
  })

  const record = (n: number): OutgoingRecord => ({
    topic: settings.topics.dlr,
    key: `key ${n % 7}`,
    value: Buffer.from(String(n)),
    headers: { ce_id: String(n) },
  })
  const batch = (from: number, count: number): OutgoingRecord[] =>
    Array.from({ length: count }, (_, i) => record(from + i))
  const committed = async (): Promise<number[]> =>
    (await readCommitted(inject('brokers'), settings.topics.dlr)).map(({ value }) => Number(value.toString()))

  it('finds a commit whose response was lost, and does not repeat it', async () => {
    await publisher.open(JOURNAL)
    const lost = proxy.handleNext(API.endTxn, 'lose-answer')
    await expect(publisher.publish(batch(0, 10), 9)).rejects.toMatchObject({ code: 'PUBLISH_IN_DOUBT' })
    await lost
    expect(await publisher.open(JOURNAL)).toBe(9)
    expect((await committed()).sort((a, b) => a - b)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
  })

  it('repeats a commit that never reached the broker', async () => {
    await publisher.open(JOURNAL)
    await publisher.publish(batch(0, 5), 4)
    const lost = proxy.handleNext(API.endTxn, 'lose-request')
    await expect(publisher.publish(batch(5, 5), 9)).rejects.toMatchObject({ code: 'PUBLISH_IN_DOUBT' })
    await lost
    expect(await publisher.open(JOURNAL)).toBe(4)
    await publisher.publish(batch(5, 5), 9)
    expect((await committed()).sort((a, b) => a - b)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
  })

  // A publisher reads no records. The broker of the tests has the transaction protocol of KIP-890, which needs no request to add
  // partitions or offsets;
  // `transaction-protocol.test.ts` does the same with the protocol before.
  const unused = ['fetch', 'listOffsets', 'metadata', 'addPartitionsToTxn', 'addOffsetsToTxn']
  const requests = Object.entries(API).filter(([name]) => !unused.includes(name))
  const handlings: Handling[] = ['lose-answer', 'lose-request', 'cut']
  it.each(requests.flatMap(([name, key]) => handlings.map((handling) => [handling, name, key] as const)))(
    'publishes each record once after the fault "%s" of a request %s',
    async (handling, _name, key) => {
      await publishAll(publisher, JOURNAL, batch, 6, 3)
      const isSentByOpen = [API.initProducerId, API.offsetFetch, API.findCoordinator].some((each) => each === key)
      // Only opening sends this request, so the publisher is opened again.
      if (isSentByOpen) await publisher.close()
      const handled = proxy.handleNext(key, handling)
      if (isSentByOpen) await publisher.open(JOURNAL).catch(() => undefined)
      await publishAll(publisher, JOURNAL, batch, 12, 3)
      await handled
      expect((await committed()).sort((a, b) => a - b)).toEqual(Array.from({ length: 12 }, (_, i) => i))
    },
  )

  it('succeeds when every response is late but within the request timeout, however many an operation needs', async () => {
    const slow = new ExactlyOncePublisher({ settings: { ...settings, requestTimeout: 800 }, clock: systemClock, log })
    onTestFinished(() => slow.close())
    publisher = slow
    proxy.lateByMs = 400
    proxy.setRule(() => 'late-answer')
    await publishAll(publisher, JOURNAL, batch, 1, 1)
    proxy.setRule(() => 'pass')
    expect(await committed()).toEqual([0])
  }, 60_000)

  it.each([
    [API.txnOffsetCommit, 'TxnOffsetCommit'],
    [API.produce, 'Produce'],
    [API.endTxn, 'EndTxn'],
  ])('names the request that was not answered in time, and the setting to raise (API %i)', async (key, name) => {
    await publisher.open(JOURNAL)
    const handled = proxy.handleNext(key, 'lose-answer')
    await expect(publisher.publish(batch(0, 1), 0)).rejects.toThrow(
      new RegExp(`no response to ${name} within 1000 ms; .*raise kafka\\.requestTimeout`),
    )
    await handled
  })

  it('names a request of opening that was not answered in time', async () => {
    proxy.setRule(() => 'lose-answer')
    await expect(publisher.open(JOURNAL)).rejects.toThrow(/no response to \w+ within 1000 ms/)
    proxy.setRule((key) => (key === API.findCoordinator ? 'lose-answer' : 'pass'))
    await expect(publisher.open(JOURNAL)).rejects.toThrow('no response to FindCoordinator within 1000 ms')
    proxy.setRule(() => 'pass')
  })

  it('does not let a late commit take effect after a new producer was opened', async () => {
    await publisher.open(JOURNAL)
    proxy.setRule((key) => (key === API.endTxn ? 'hold' : 'pass'))
    await expect(publisher.publish(batch(0, 4), 3)).rejects.toMatchObject({ code: 'PUBLISH_IN_DOUBT' })
    proxy.setRule(() => 'pass')
    expect(await publisher.open(JOURNAL)).toBe(-1)
    proxy.releaseHeld()
    await publisher.publish(batch(0, 4), 3)
    expect((await committed()).sort()).toEqual([0, 1, 2, 3])
    expect(await publisher.open(JOURNAL)).toBe(3)
  })

  it('loses and doubles nothing while 2 % of all responses are lost and 1 % of the connections are cut', async () => {
    const seed = Date.now() % 100_000
    onTestFinished(({ task }) => void (task.result?.state === 'fail' && console.error(`seed ${seed}`)))
    const chance = random(seed)
    proxy.setRule(() => {
      const share = chance()
      return share < 0.02 ? 'lose-answer' : share < 0.03 ? 'cut' : 'pass'
    })
    const { doubts } = await publishAll(publisher, JOURNAL, batch, 2_000, 50)
    proxy.setRule(() => 'pass')
    expect(doubts).toBeGreaterThan(0)
    const seen = await readCommitted(inject('brokers'), settings.topics.dlr)
    expect(seen.map(({ value }) => Number(value.toString())).sort((a, b) => a - b)).toEqual(
      Array.from({ length: 2_000 }, (_, i) => i),
    )
    for (let key = 0; key < 7; key++) {
      const order = seen.filter((each) => each.key === `key ${key}`).map(({ value }) => Number(value.toString()))
      expect(order).toEqual([...order].sort((a, b) => a - b)) // invariant 4
    }
  }, 120_000)

  it('closes its connections while there is nothing to publish, and stays the same producer', async () => {
    publisher = new ExactlyOncePublisher({ settings, clock: systemClock, log, disconnectIdleAfterMs: 50 })
    await publisher.open(JOURNAL)
    await publisher.publish(batch(0, 3), 2)
    await expect.poll(() => proxy.sockets).toBe(0)
    proxy.setRule((key) => (key === API.initProducerId ? 'cut' : 'pass'))
    await publisher.publish(batch(3, 3), 5)
    expect((await committed()).sort((a, b) => a - b)).toEqual([0, 1, 2, 3, 4, 5])
  })

  it('continues with a topic that was recreated with fewer partitions', async () => {
    await publisher.open(JOURNAL)
    await publisher.publish(batch(0, 7), 6)
    await withAdmin(inject('brokers'), (admin) => admin.deleteTopics({ topics: [settings.topics.dlr] }))
    await createTopic(inject('brokers'), settings.topics.dlr, 1)
    let position = 6
    await expect
      .poll(async () => {
        await publisher.publish(batch(position + 1, 7), position + 7).then(
          () => (position += 7),
          async () => expect(await publisher.open(JOURNAL)).toBe(position),
        )
        return position
      })
      .toBe(13)
    expect((await committed()).sort((a, b) => a - b)).toEqual([7, 8, 9, 10, 11, 12, 13])
  })
})

/** The generator of Park and Miller, which returns the same numbers for the same seed. */
const random = (seed: number): (() => number) => {
  let state = (seed % 2_147_483_646) + 1
  return () => {
    state = (state * 48_271) % 2_147_483_647
    return state / 2_147_483_647
  }
}
