/** What can prevent publishing, and the errors that report it. */
import { randomUUID } from 'node:crypto'
import { createServer, type AddressInfo } from 'node:net'
import pino from 'pino'
import { describe, expect, inject, it, onTestFinished } from 'vitest'
import { systemClock } from '../../src/core/clock.js'
import { AtLeastOncePublisher } from '../../src/kafka/at-least-once-publisher.js'
import { ExactlyOncePublisher } from '../../src/kafka/exactly-once-publisher.js'
import { fetchTopicPartitions } from '../../src/kafka/topics.js'
import type { Publisher } from '../../src/kafka/publisher.js'
import type { KafkaSettings } from '../../src/kafka/settings.js'
import { createTopic, partitionsOf } from '../../dev/kafka/topics.js'
import { publisherSettings } from '../support/publisher-settings.js'

const log = pino({ level: 'silent' })
const kinds: readonly [string, (settings: KafkaSettings) => Publisher][] = [
  ['exactly once', (settings) => new ExactlyOncePublisher({ settings, clock: systemClock, log })],
  ['at least once', (settings) => new AtLeastOncePublisher({ settings, clock: systemClock, log })],
]

const withoutCreation = ({ createTopics: _, ...settings }: KafkaSettings): KafkaSettings => settings

describe.each(kinds)('Opening a publisher, %s,', (_name, make) => {
  const publisher = (settings: KafkaSettings): Publisher => {
    const made = make(settings)
    onTestFinished(() => made.close())
    return made
  }

  it('names every topic that is missing', async () => {
    const name = randomUUID()
    const settings = withoutCreation(publisherSettings(inject('brokers'), name))
    await createTopic(inject('brokers'), settings.topics.mo, 1)
    const refused = publisher(settings).open('a-journal')
    await expect(refused).rejects.toMatchObject({ code: 'TOPIC_MISSING' })
    await expect(refused).rejects.toThrow(`topics ${name}.dlr, ${name}.dead-letter do not exist`)
  })

  it('creates missing topics with the configured partitions', async () => {
    const settings = publisherSettings(inject('brokers'), randomUUID(), {
      createTopics: { partitions: 4, replicationFactor: 1 },
    })
    await publisher(settings).open('a-journal')
    for (const topic of Object.values(settings.topics)) {
      expect(await partitionsOf(inject('brokers'), topic)).toHaveLength(4)
    }
  })

  it('reports a topic that cannot be created as configured', async () => {
    const settings = publisherSettings(inject('brokers'), randomUUID(), {
      createTopics: { partitions: 1, replicationFactor: 9 },
    })
    await expect(publisher(settings).open('a-journal')).rejects.toMatchObject({ code: 'KAFKA_REFUSED' })
  })

  it('reports brokers that refuse connections', async () => {
    const settings = publisherSettings([await unusedAddress()], randomUUID())
    await expect(publisher(settings).open('a-journal')).rejects.toMatchObject({ code: 'KAFKA_UNREACHABLE' })
  })

  it('gives up on a broker that never answers', async () => {
    const deaf = createServer()
    await new Promise<void>((resolve) => deaf.listen(0, '127.0.0.1', resolve))
    onTestFinished(() => void deaf.close())
    const settings = publisherSettings([`127.0.0.1:${(deaf.address() as AddressInfo).port}`], randomUUID(), {
      requestTimeout: 200,
    })
    await expect(publisher(settings).open('a-journal')).rejects.toMatchObject({ code: 'KAFKA_UNREACHABLE' })
  })

  it('can be checked without creating a topic or fencing a producer', async () => {
    const settings = publisherSettings(inject('brokers'), randomUUID())
    await expect(
      fetchTopicPartitions(settings, Object.values(settings.topics), systemClock, log),
    ).rejects.toMatchObject({ code: 'TOPIC_MISSING' })
    const open = publisher(settings)
    await open.open('a-journal')
    expect([
      ...(await fetchTopicPartitions(settings, Object.values(settings.topics), systemClock, log)).values(),
    ]).toEqual([3, 3, 3, 3])
    await open.publish([], 1)
  })
})

const unusedAddress = async (): Promise<string> => {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return `127.0.0.1:${port}`
}
