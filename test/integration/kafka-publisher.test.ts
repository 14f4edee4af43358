import { randomUUID } from 'node:crypto'
import pino from 'pino'
import { inject } from 'vitest'
import { systemClock } from '../../src/clock.js'
import { AtLeastOncePublisher } from '../../src/publish/at-least-once-publisher.js'
import { KafkaPublisher } from '../../src/publish/kafka-publisher.js'
import type { SessionParts } from '../../src/publish/kafka-session.js'
import { publisherContract, type PublisherHarness } from '../contracts/publisher-contract.js'
import { publisherSettings } from '../support/publisher-settings.js'
import { readCommitted } from '../support/kafka.js'
import type { Publisher } from '../../src/publish/publisher.js'

const harness = (make: (parts: SessionParts) => Publisher) => async (): Promise<PublisherHarness> => {
  const settings = publisherSettings(inject('brokers'), randomUUID())
  const made: Publisher[] = []
  return {
    topics: settings.topics,
    publisher: () => {
      const publisher = make({ settings, clock: systemClock, log: pino({ level: 'silent' }) })
      made.push(publisher)
      return publisher
    },
    committed: (topic) => readCommitted(settings.brokers, topic),
    close: async () => {
      for (const publisher of made) await publisher.close()
    },
  }
}

publisherContract(
  'exactly once on Kafka',
  harness((parts) => new KafkaPublisher(parts)),
)
publisherContract(
  'at least once on Kafka',
  harness((parts) => new AtLeastOncePublisher(parts)),
)
publisherContract(
  'exactly once on Kafka, with gzip',
  harness((parts) => new KafkaPublisher({ ...parts, settings: { ...parts.settings, compression: 'gzip' } })),
)
