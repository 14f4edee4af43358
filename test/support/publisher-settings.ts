import type { KafkaSettings } from '../../src/kafka/settings.js'

/** Returns settings whose topics and instance belong to `name` alone, so that tests don't share them. */
export const publisherSettings = (
  brokers: readonly string[],
  name: string,
  more: Partial<KafkaSettings> = {},
): KafkaSettings => ({
  instance: `test-${name}`,
  brokers,
  topics: {
    dlr: `${name}.dlr`,
    mo: `${name}.mo`,
    deadLetter: `${name}.dead-letter`,
    deadLetterReplays: `${name}.dead-letter-replays`,
  },
  createTopics: { partitions: 3, replicationFactor: 1 },
  compression: 'none',
  maxBatchBytes: 900 * 1024,
  requestTimeout: 5_000,
  transactionTimeout: 60_000,
  ...more,
})
