import { randomUUID } from 'node:crypto'
import pino from 'pino'
import { inject } from 'vitest'
import { systemClock } from '../../src/core/clock.js'
import { AtLeastOncePublisher } from '../../src/kafka/at-least-once-publisher.js'
import { ExactlyOncePublisher, type PublisherDeps } from '../../src/kafka/exactly-once-publisher.js'
import { publisherContract, type PublisherHarness } from '../kafka/publisher-contract.js'
import { publisherSettings } from '../support/publisher-settings.js'
import { readCommitted } from '../../dev/kafka/committed-reader.js'
import type { Publisher } from '../../src/kafka/publisher.js'

const harness = (make: (deps: PublisherDeps) => Publisher) => async (): Promise<PublisherHarness> => {
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
  harness((deps) => new ExactlyOncePublisher(deps)),
)
publisherContract(
  'at least once on Kafka',
  harness((deps) => new AtLeastOncePublisher(deps)),
)
publisherContract(
  'exactly once on Kafka, with gzip',
  harness((deps) => new ExactlyOncePublisher({ ...deps, settings: { ...deps.settings, compression: 'gzip' } })),
)
