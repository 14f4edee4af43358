/** What a broker or a clock may forbid, on a real broker: the error says what to change, or publishing simply goes on. */
import { randomUUID } from 'node:crypto'
import kafkajs from 'kafkajs'
import pino from 'pino'
import { afterAll, afterEach, beforeAll, describe, expect, inject, it, vi } from 'vitest'
import { readCommitted } from '../../dev/kafka/committed-reader.js'
import { setProducerQuota } from '../../dev/kafka/quotas.js'
import { withAdmin } from '../../dev/kafka/topics.js'
import { SingleBroker } from '../../dev/stack/single-broker.js'
import { type Clock, systemClock } from '../../src/core/clock.js'
import { AtLeastOncePublisher } from '../../src/kafka/at-least-once-publisher.js'
import { ExactlyOncePublisher, type PublisherDeps } from '../../src/kafka/exactly-once-publisher.js'
import type { OutgoingRecord, Publisher } from '../../src/kafka/publisher.js'
import type { KafkaSettings } from '../../src/kafka/settings.js'
import { publisherSettings } from '../support/publisher-settings.js'

vi.setConfig({ testTimeout: 120_000, hookTimeout: 300_000 })

const JOURNAL = 'a-journal'
const THREE_HOURS_MS = 3 * 3_600_000
const SESSION_MS = 3_000

const made: Publisher[] = []
afterEach(async () => {
  for (const publisher of made.splice(0)) await publisher.close()
})

const create = (settings: KafkaSettings, more: Partial<PublisherDeps> = {}): ExactlyOncePublisher => {
  const publisher = new ExactlyOncePublisher({ settings, clock: systemClock, log: pino({ level: 'silent' }), ...more })
  made.push(publisher)
  return publisher
}
const recordOf = (topic: string, bytes: number): OutgoingRecord => ({
  topic,
  key: 'k',
  value: Buffer.alloc(bytes, 1),
  headers: {},
})

describe.runIf(inject('stackOrigin') === 'jvm')('A broker with limits', () => {
  let broker: SingleBroker
  beforeAll(async () => {
    broker = await SingleBroker.start({ properties: { 'transaction.max.timeout.ms': '30000' } })
  })
  afterAll(() => broker?.stop())

  const settingsOf = (more: Partial<KafkaSettings> = {}): KafkaSettings =>
    publisherSettings([broker.address], randomUUID(), { transactionTimeout: 20_000, ...more })

  it('makes the publisher name kafka.transactionTimeout if it is longer than transaction.max.timeout.ms', async () => {
    const refused = create(settingsOf({ transactionTimeout: 60_000 })).open(JOURNAL)
    await expect(refused).rejects.toMatchObject({ code: 'KAFKA_REFUSED' })
    await expect(refused).rejects.toThrow(
      /INVALID_TRANSACTION_TIMEOUT: .*; lower kafka\.transactionTimeout, or raise transaction\.max\.timeout\.ms/,
    )
    expect(await create(settingsOf()).open(JOURNAL)).toBe(-1)
  })

  it('makes the publisher name topic and setting if a record batch is too large, and publish on afterwards', async () => {
    const settings = settingsOf()
    const publisher = create(settings)
    await publisher.open(JOURNAL)
    const { dlr } = settings.topics
    await withAdmin([broker.address], (admin) =>
      admin.alterConfigs({
        validateOnly: false,
        resources: [
          {
            type: kafkajs.ConfigResourceTypes.TOPIC,
            name: dlr,
            configEntries: [{ name: 'max.message.bytes', value: '10000' }],
          },
        ],
      }),
    )
    const refused = publisher.publish([recordOf(dlr, 20_000)], 1)
    await expect(refused).rejects.toMatchObject({ code: 'KAFKA_REFUSED' })
    await expect(refused).rejects.toThrow(
      `lower kafka.maxBatchBytes below max.message.bytes of topic ${dlr}, or raise max.message.bytes`,
    )
    expect(await publisher.open(JOURNAL)).toBe(-1)
    await publisher.publish([recordOf(dlr, 5_000)], 1)
    expect(await readCommitted([broker.address], dlr)).toHaveLength(1)
  })

  it('makes the publisher say how far the clock of this machine is ahead of the broker', async () => {
    const settings = settingsOf()
    const aheadClock: Clock = { ...systemClock, now: () => systemClock.now() + THREE_HOURS_MS }
    const publisher = create(settings, { clock: aheadClock })
    await publisher.open(JOURNAL)
    const refused = publisher.publish([recordOf(settings.topics.dlr, 10)], 1)
    await expect(refused).rejects.toMatchObject({ code: 'KAFKA_REFUSED' })
    await expect(refused).rejects.toThrow(/INVALID_TIMESTAMP: .*this machine's clock differs from the broker's/)
    await expect(refused).rejects.toThrow(/this machine's clock is 10[78]\d\d s ahead of the broker's/)
  })

  it('makes the publisher wait while a quota of its client is exceeded, and everything is published once', async () => {
    const settings = settingsOf({ transactionTimeout: 30_000 })
    const instanceQuota = `dlr-mo-connector.${settings.instance}`
    await setProducerQuota(broker.address, instanceQuota, 100_000)
    const pauses: number[] = []
    const publisher = create(settings, { observer: { throttled: (ms) => void pauses.push(ms) } })
    await publisher.open(JOURNAL)
    let position = 0
    for (let i = 0; i < 4; i++) {
      position++
      await publisher.publish([recordOf(settings.topics.dlr, 400_000)], position)
    }
    expect(pauses.length).toBeGreaterThan(0)
    expect(await readCommitted([broker.address], settings.topics.dlr)).toHaveLength(4)
    expect(await publisher.open(JOURNAL)).toBe(4)
  })
})

describe.runIf(inject('stackOrigin') === 'jvm')('A broker whose SASL sessions last three seconds', () => {
  let broker: SingleBroker
  beforeAll(async () => {
    broker = await SingleBroker.start({ saslPlain: { user: 'u', password: 'p', sessionMs: SESSION_MS } })
  })
  afterAll(() => broker?.stop())

  it.each([
    ['exactly once', ExactlyOncePublisher],
    ['at least once', AtLeastOncePublisher],
  ])('is published to %s, across the ends of many sessions', async (_name, Implementation) => {
    const settings = publisherSettings([broker.saslAddress!], randomUUID(), {
      sasl: { mechanism: 'plain', username: 'u', password: 'p' },
    })
    const publisher = new Implementation({ settings, clock: systemClock, log: pino({ level: 'silent' }) })
    made.push(publisher)
    await publisher.open(JOURNAL)
    for (let position = 1; position <= 20; position++) {
      await publisher.publish([recordOf(settings.topics.dlr, 10)], position)
      await systemClock.sleep(SESSION_MS / 6)
    }
    expect(await readCommitted([broker.address], settings.topics.dlr)).toHaveLength(20)
  })
})
