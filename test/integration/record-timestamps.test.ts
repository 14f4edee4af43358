/** The timestamps of records on a real broker: the time at which the item was received, whatever the topic says. */
import { randomUUID } from 'node:crypto'
import pino from 'pino'
import { afterEach, describe, expect, inject, it } from 'vitest'
import { withAdmin } from '../../dev/kafka/topics.js'
import { systemClock } from '../../src/core/clock.js'
import { AtLeastOncePublisher } from '../../src/kafka/at-least-once-publisher.js'
import { CommittedRecordReader } from '../../src/kafka/committed-record-reader.js'
import { ExactlyOncePublisher } from '../../src/kafka/exactly-once-publisher.js'
import type { OutgoingRecord, Publisher } from '../../src/kafka/publisher.js'
import { publisherSettings } from '../support/publisher-settings.js'

const HOUR_MS = 3_600_000
const log = pino({ level: 'silent' })
const brokers = inject('brokers')

const cleanUp: (() => Promise<void> | void)[] = []
afterEach(async () => {
  for (const step of cleanUp.splice(0)) await step()
})

const PUBLISHERS = [
  ['exactly once', ExactlyOncePublisher],
  ['at least once', AtLeastOncePublisher],
] as const

const create = async (Implementation: (typeof PUBLISHERS)[number][1], configEntries: Record<string, string>) => {
  const settings = publisherSettings(brokers, randomUUID())
  const { dlr } = settings.topics
  const entries = Object.entries(configEntries).map(([name, value]) => ({ name, value }))
  await withAdmin(brokers, (admin) =>
    admin.createTopics({ topics: [{ topic: dlr, numPartitions: 1, configEntries: entries }] }),
  )
  const publisher: Publisher = new Implementation({ settings, clock: systemClock, log })
  cleanUp.push(() => publisher.close())
  await publisher.open('a-journal')
  const record = (key: string, waitMs: number): OutgoingRecord => ({
    topic: dlr,
    key,
    value: Buffer.from(key),
    headers: {},
    timestamp: Date.now() - waitMs,
  })
  const readWaits = async (): Promise<Record<string, number>> => {
    const reader = await CommittedRecordReader.open({
      settings,
      topics: [dlr],
      clock: systemClock,
      log,
      onRetry: () => undefined,
    })
    try {
      const ends = await reader.offsets('latest')
      const waits: Record<string, number> = {}
      for await (const { key, timestamp } of reader.read(ends.map((end) => ({ ...end, from: 0, to: end.offset })))) {
        waits[String(key)] = Date.now() - timestamp
      }
      return waits
    } finally {
      reader.close()
    }
  }
  return { publisher, record, readWaits, dlr }
}

describe.each(PUBLISHERS)('A publisher that publishes %s', (_name, Implementation) => {
  it('writes the time at which an item was received, also where times are out of order', async () => {
    const { publisher, record, readWaits } = await create(Implementation, {})
    await publisher.publish([record('now', 0), record('old', 100 * HOUR_MS), record('newer', HOUR_MS)], 1)
    const waits = await readWaits()
    expect(waits['now']).toBeLessThan(HOUR_MS)
    expect(waits['old']).toBeGreaterThanOrEqual(100 * HOUR_MS)
    expect(waits['newer']).toBeGreaterThanOrEqual(HOUR_MS)
    expect(waits['newer']).toBeLessThan(2 * HOUR_MS)
  })

  it('names a topic that refuses old times and the setting, and then publishes with the time of publishing', async () => {
    const { publisher, record, readWaits, dlr } = await create(Implementation, {
      'message.timestamp.before.max.ms': String(HOUR_MS),
    })
    const records = [record('old', 100 * HOUR_MS), record('recent', HOUR_MS / 2)]
    const refusals: string[] = []
    for (let attempt = 0; attempt < 20; attempt++) {
      try {
        await publisher.publish(records, 1)
        break
      } catch (error) {
        refusals.push((error as Error).message)
        await publisher.open('a-journal')
      }
    }
    expect(refusals[0]).toContain(`topic ${dlr} refuses the time at which its records were received`)
    expect(refusals[0]).toContain('message.timestamp.before.max.ms')
    const waits = await readWaits()
    expect(waits['old']).toBeLessThan(HOUR_MS / 2)
    expect(Object.keys(waits).sort()).toEqual(['old', 'recent'])
  })

  it('publishes to a topic whose timestamps are those of the broker', async () => {
    const { publisher, record, readWaits } = await create(Implementation, { 'message.timestamp.type': 'LogAppendTime' })
    await publisher.publish([record('old', 100 * HOUR_MS)], 1)
    expect((await readWaits())['old']).toBeLessThan(HOUR_MS)
  })
})
