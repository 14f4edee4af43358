/**
 * The transaction protocol of each feature level, on real brokers: Kafka 4.1 at `transaction.version` 2 and 0, and Kafka 3.9.
 */
import { randomUUID } from 'node:crypto'
import pino from 'pino'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, inject, it, vi } from 'vitest'
import { API, type Handling, KafkaProxy } from '../../dev/fault-injection/kafka-proxy.js'
import { readCommitted } from '../../dev/kafka/committed-reader.js'
import { setFeatureLevel } from '../../dev/kafka/features.js'
import { OLD_KAFKA_VERSION } from '../../dev/stack/jvm/distributions.js'
import { SingleBroker, type SingleBrokerOptions } from '../../dev/stack/single-broker.js'
import { systemClock } from '../../src/core/clock.js'
import { ExactlyOncePublisher } from '../../src/kafka/exactly-once-publisher.js'
import type { OutgoingRecord } from '../../src/kafka/publisher.js'
import type { KafkaSettings } from '../../src/kafka/settings.js'
import { publisherContract } from '../kafka/publisher-contract.js'
import { OWN_STACK_UNAVAILABLE } from '../support/own-stack.js'
import { publishAll } from '../support/publish-all.js'
import { publisherSettings } from '../support/publisher-settings.js'

vi.setConfig({ testTimeout: 120_000, hookTimeout: 300_000 })

const JOURNAL = 'a-journal'
const FEATURE = 'transaction.version'
const log = pino({ level: 'silent' })
const hasJvm = inject('stackOrigin') === 'jvm'

const create = (settings: KafkaSettings): ExactlyOncePublisher =>
  new ExactlyOncePublisher({ settings, clock: systemClock, log })

/** The requests of one transaction, in order, at each level. */
const REQUESTS = {
  2: ['txnOffsetCommit', 'produce', 'endTxn'],
  0: ['addOffsetsToTxn', 'txnOffsetCommit', 'addPartitionsToTxn', 'produce', 'endTxn'],
}

const CLUSTERS: readonly (readonly [string, SingleBrokerOptions, 0 | 2])[] = [
  ['Kafka 4.1 at transaction.version 2', {}, 2],
  ['Kafka 4.1 at transaction.version 0', {}, 0],
  [`Kafka ${OLD_KAFKA_VERSION}`, { version: OLD_KAFKA_VERSION }, 0],
]

describe.runIf(hasJvm).each(CLUSTERS)('On %s the exactly-once publisher', (name, options, level) => {
  let broker: SingleBroker
  let proxy: KafkaProxy
  let settings: KafkaSettings
  let publisher: ExactlyOncePublisher

  beforeAll(async () => {
    broker = await SingleBroker.start(options)
    if (options.version === undefined) await setFeatureLevel(broker.address, FEATURE, level)
  })
  afterAll(() => broker?.stop())

  beforeEach(async () => {
    proxy = await KafkaProxy.startInFrontOf(broker.address)
    const id = randomUUID()
    const topicCreator = create(publisherSettings([broker.address], id))
    await topicCreator.open('topic-creator')
    await topicCreator.close()
    settings = publisherSettings([proxy.address], id, { requestTimeout: 1_000 })
    publisher = create(settings)
  })
  afterEach(async () => {
    await publisher.close()
    await proxy.close()
  })

  const batch = (from: number, count: number): OutgoingRecord[] =>
    Array.from({ length: count }, (_, i) => ({
      topic: settings.topics.dlr,
      key: `key ${(from + i) % 7}`,
      value: Buffer.from(String(from + i)),
      headers: {},
    }))
  const committed = async (): Promise<number[]> =>
    (await readCommitted([broker.address], settings.topics.dlr)).map(({ value }) => Number(value.toString()))
  const sorted = (numbers: number[]): number[] => numbers.sort((a, b) => a - b)
  const upTo = (count: number): number[] => Array.from({ length: count }, (_, i) => i)

  publisherContract(name, async () => {
    const contractSettings = publisherSettings([broker.address], randomUUID())
    const made: ExactlyOncePublisher[] = []
    return {
      topics: contractSettings.topics,
      publisher: () => {
        const each = create(contractSettings)
        made.push(each)
        return each
      },
      committed: (topic) => readCommitted([broker.address], topic),
      close: async () => {
        for (const each of made) await each.close()
      },
    }
  })

  it('sends the requests of its level, each of them once', async () => {
    await publishAll(publisher, JOURNAL, batch, 2, 1)
    // The broker is given time to complete the transaction before, so that no request has to be repeated.
    await systemClock.sleep(500)
    const sent: string[] = []
    proxy.setRule((key) => {
      sent.push(Object.entries(API).find(([, each]) => each === key)?.[0] ?? String(key))
      return 'pass'
    })
    await publisher.publish(batch(2, 20), 21)
    expect(sent).toEqual(REQUESTS[level])
  })

  const handlings: readonly Handling[] = ['lose-answer', 'lose-request', 'cut']
  const faults = REQUESTS[level].flatMap((request) => handlings.map((handling) => [handling, request] as const))
  it.each(faults)('publishes each record once after the fault "%s" of a request %s', async (handling, request) => {
    await publishAll(publisher, JOURNAL, batch, 6, 3)
    const handled = proxy.handleNext(API[request as keyof typeof API], handling)
    await publishAll(publisher, JOURNAL, batch, 12, 3)
    await handled
    expect(sorted(await committed())).toEqual(upTo(12))
  })

  it('does not let a late commit end the next transaction', async () => {
    await publishAll(publisher, JOURNAL, batch, 4, 4)
    proxy.setRule((key) => (key === API.endTxn ? 'hold' : 'pass'))
    await expect(publisher.publish(batch(4, 4), 7)).rejects.toMatchObject({ code: 'PUBLISH_IN_DOUBT' })
    proxy.setRule(() => 'pass')
    expect(await publisher.open(JOURNAL)).toBe(3)
    let isReleased = false
    proxy.setRule((key) => {
      if (key === API.produce && !isReleased) {
        isReleased = true
        proxy.releaseHeld()
      }
      return 'pass'
    })
    await publisher.publish(batch(4, 4), 7)
    expect(await publisher.open(JOURNAL)).toBe(7)
    expect(sorted(await committed())).toEqual(upTo(8))
  })

  it('fences an older producer of the same instance', async () => {
    const older = create({ ...settings, brokers: [broker.address] })
    await older.open(JOURNAL)
    await older.publish(batch(0, 2), 1)
    expect(await publisher.open(JOURNAL)).toBe(1)
    await expect(older.publish(batch(2, 2), 3)).rejects.toMatchObject({ code: 'PRODUCER_REPLACED' })
    await publisher.publish(batch(2, 2), 3)
    expect(sorted(await committed())).toEqual(upTo(4))
    await older.close()
  })
})

describe.runIf(hasJvm)('The level of transaction.version', () => {
  it('may change between two producers of one instance, in both directions', async () => {
    const broker = await SingleBroker.start()
    try {
      const settings = publisherSettings([broker.address], randomUUID())
      const texts: string[] = []
      let position = 0
      // From 2 straight to 0 a coordinator of Kafka 4.1 can't write its log any more for transactional ids that used level 2.
      for (const level of [2, 1, 0, 2]) {
        await setFeatureLevel(broker.address, FEATURE, level)
        const publisher = create(settings)
        expect(await publisher.open(JOURNAL)).toBe(position === 0 ? -1 : position)
        for (let i = 0; i < 3; i++) {
          position++
          texts.push(String(position))
          const value = Buffer.from(String(position))
          await publisher.publish([{ topic: settings.topics.dlr, key: 'k', value, headers: {} }], position)
        }
        await publisher.close()
      }
      const seen = await readCommitted([broker.address], settings.topics.dlr)
      expect(seen.map(({ value }) => value.toString())).toEqual(texts)
    } finally {
      await broker.stop()
    }
  })

  it('may change while a producer runs', async () => {
    const broker = await SingleBroker.start()
    try {
      const settings = publisherSettings([broker.address], randomUUID())
      const publisher = create(settings)
      await publisher.open(JOURNAL)
      const texts: string[] = []
      let position = 0
      for (const level of [2, 1, 2, 1]) {
        await setFeatureLevel(broker.address, FEATURE, level)
        for (let i = 0; i < 3; i++) {
          position++
          const value = Buffer.from(String(position))
          const records = [{ topic: settings.topics.dlr, key: 'k', value, headers: {} }]
          texts.push(String(position))
          await publisher.publish(records, position).catch(async () => {
            if ((await publisher.open(JOURNAL)) < position) await publisher.publish(records, position)
          })
        }
      }
      await publisher.close()
      const seen = await readCommitted([broker.address], settings.topics.dlr)
      expect(seen.map(({ value }) => value.toString())).toEqual(texts)
    } finally {
      await broker.stop()
    }
  })
})

it.skipIf(hasJvm)(`the tests of transaction.version are skipped: ${OWN_STACK_UNAVAILABLE}`, () => undefined)
