import type { Logger } from 'pino'
import type { Clock } from '../core/clock.js'
import { withDeadline } from './kafkajs-workarounds/deadline.js'
import { kafkaClient } from './kafka-client.js'
import { connectionError } from './kafka-errors.js'
import type { KafkaSettings } from './settings.js'
import { ensureTopics } from './topics.js'

/**
 * How many partitions each topic has, for `check`: creates nothing and fences nobody.
 * @throws ConnectorError KAFKA_UNREACHABLE, KAFKA_REFUSED, TOPIC_MISSING
 */
export async function fetchTopicPartitions(
  settings: Omit<KafkaSettings, 'topics'> & { readonly topics: object },
  clock: Clock,
  log: Logger,
): Promise<Map<string, number>> {
  const client = kafkaClient(settings, clock, log)
  const admin = client.kafka.admin()
  try {
    await admin.connect()
    return await withDeadline(
      ensureTopics(admin, { topics: settings.topics }, clock),
      { silence: settings.requestTimeout * 3, longest: settings.requestTimeout * 20, heardAt: client.heardAt },
      'looking at topics',
      clock,
    )
  } catch (error) {
    throw connectionError(error, settings.brokers)
  } finally {
    client.destroy()
  }
}
