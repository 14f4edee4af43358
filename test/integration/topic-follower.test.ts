/** Reading what other replicas published, on a real broker, where items were received long before they were published. */
import { randomUUID } from 'node:crypto'
import pino from 'pino'
import { afterEach, beforeEach, describe, expect, inject, it } from 'vitest'
import { createTopic, withAdmin } from '../../dev/kafka/topics.js'
import { until } from '../../dev/wait.js'
import { systemClock } from '../../src/core/clock.js'
import { CloudEventsHeaders } from '../../src/encode/cloudevents-headers.js'
import type { TopicProgress } from '../../src/journal/journal.js'
import { createKafkaClient } from '../../src/kafka/kafka-client.js'
import { ExactlyOncePublisher } from '../../src/kafka/exactly-once-publisher.js'
import { TopicFollower } from '../../src/replicas/topic-follower.js'
import { type ReadingStart, TopicReader } from '../../src/replicas/topic-reader.js'
import { receipt } from '../support/events.js'
import { MemoryJournal } from '../support/memory-journal.js'
import { publisherSettings } from '../support/publisher-settings.js'

const HOUR_MS = 3_600_000
const SOURCE = 'seven-main'
const log = pino({ level: 'silent' })
const brokers = inject('brokers')

let topic: string
let settings: ReturnType<typeof publisherSettings>
let publisher: ExactlyOncePublisher
let position: number
let cleanUp: (() => Promise<void>)[]

beforeEach(async () => {
  settings = publisherSettings(brokers, randomUUID())
  topic = settings.topics.dlr
  position = 0
  cleanUp = []
  await createTopic(brokers, topic, 1)
  publisher = new ExactlyOncePublisher({ settings, clock: systemClock, log })
  cleanUp.push(() => publisher.close())
  await publisher.open('a-journal')
})
afterEach(async () => {
  for (const step of cleanUp) await step()
})

const id = (n: number): string => n.toString(16).padStart(32, '0')

/** Publishes a receipt that was received so long ago. */
const publish = async (n: number, waitMs: number): Promise<void> => {
  const receivedAt = Date.now() - waitMs
  const headers = new CloudEventsHeaders().of(receipt({ eventId: id(n), source: SOURCE, receivedAt }), id(n))
  position++
  await publisher.publish([{ topic, key: 'm', value: Buffer.from('x'), headers, timestamp: receivedAt }], position)
}

const recreateTopic = async (): Promise<void> => {
  await withAdmin(brokers, async (admin) => {
    await admin.deleteTopics({ topics: [topic] })
    await until(async () => !(await admin.listTopics()).includes(topic))
  })
  await createTopic(brokers, topic, 1)
  await publisher.open('a-journal')
}

const readAll = async (start: ReadingStart): Promise<{ reader: TopicReader; offsets: number[] }> => {
  const offsets: number[] = []
  const reader = await TopicReader.open({
    topics: [topic],
    start,
    group: `test.${randomUUID()}`,
    client: createKafkaClient(settings, systemClock, log),
    clock: systemClock,
    onBatch: async ({ messages }) => void offsets.push(...messages.map(({ offset }) => Number(offset))),
  })
  cleanUp.unshift(() => reader.close())
  await reader.readToEnd()
  return { reader, offsets }
}
const progressTo = (topicId: string | null, offset: number): TopicProgress => ({
  [topic]: { topicId, offsets: [offset] },
})

describe('The topic reader', { timeout: 120_000 }, () => {
  it('starts at the first record of a time or later, and reads what was received before it and stands behind it', async () => {
    await publish(1, 50 * HOUR_MS)
    await publish(2, 0)
    await publish(3, 50 * HOUR_MS)
    const { offsets } = await readAll({ since: Date.now() - HOUR_MS, readBefore: [] })
    expect(offsets).toEqual([2, 4]) // a commit marker stands behind each record
  })

  it('continues at an offset, also where everything behind it was received long before', async () => {
    await publish(1, 0)
    const { reader } = await readAll({ since: 0, readBefore: [] })
    const progress = reader.progress()
    expect(progress[topic]!.topicId).toMatch(/^[0-9a-f]{32}$/)
    await publish(2, 50 * HOUR_MS)
    const { offsets } = await readAll({ since: Date.now() - 100 * HOUR_MS, readBefore: [progress] })
    expect(offsets).toEqual([2])
  })

  it('starts at the lowest of several offsets, and at the time where one of several has read nothing', async () => {
    for (let n = 0; n < 3; n++) await publish(n, n * HOUR_MS)
    const { reader } = await readAll({ since: 0, readBefore: [] })
    const { topicId } = reader.progress()[topic]!
    const [two, four] = [progressTo(topicId, 2), progressTo(topicId, 4)]
    expect((await readAll({ since: 0, readBefore: [four, two] })).offsets).toEqual([2, 4])
    expect((await readAll({ since: 0, readBefore: [four, {}] })).offsets).toEqual([0, 2, 4])
  })

  it('reads all of a topic that was created again, although it is longer than what was read', async () => {
    await publish(1, 0)
    const { reader } = await readAll({ since: 0, readBefore: [] })
    const progress = reader.progress()
    await recreateTopic()
    await publish(2, 50 * HOUR_MS)
    await publish(3, 0)
    await expect(reader.readToEnd()).rejects.toThrow(/was deleted or created again|ends at offset/)
    expect((await readAll({ since: 0, readBefore: [progress] })).offsets).toEqual([0, 2])
  })

  it('reads from the time where the offset lies behind the end of the topic', async () => {
    await publish(1, 0)
    const { reader } = await readAll({ since: 0, readBefore: [] })
    const { topicId } = reader.progress()[topic]!
    expect((await readAll({ since: 0, readBefore: [progressTo(topicId, 1_000)] })).offsets).toEqual([0])
  })
})

describe('A replica that a source comes back to', { timeout: 120_000 }, () => {
  it('knows what another replica published meanwhile, although it was received before the source went', async () => {
    const journal = new MemoryJournal()
    const follow = async (): Promise<TopicFollower> => {
      const follower = new TopicFollower({
        openReader: (start, onBatch) =>
          TopicReader.open({
            topics: [topic],
            start,
            group: `test.${randomUUID()}`,
            client: createKafkaClient(settings, systemClock, log),
            clock: systemClock,
            onBatch,
          }),
        journal,
        lookBackOf: () => 100 * HOUR_MS,
        isFinal: () => Promise.resolve(true),
        clock: systemClock,
        log,
        observer: { publishedTwice: () => undefined, followingChanged: () => undefined },
      })
      follower.start()
      cleanUp.unshift(() => follower.stop())
      follower.follow([SOURCE])
      await until(async () => (await follower.followedFor()) !== undefined)
      return follower
    }
    await publish(1, 0)
    const first = await follow()
    await until(() => journal.topicProgress(SOURCE) !== undefined)
    expect(journal.findFirstSeen(id(1))).toBeDefined()
    await first.stop()
    await publish(2, 50 * HOUR_MS)
    await follow()
    expect(journal.findFirstSeen(id(2))).toBeDefined()
  })
})
