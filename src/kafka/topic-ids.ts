/** Asks brokers for the ids of topics (KIP-516), which kafkajs does not know. */
import type { Clock } from '../core/clock.js'
import type { KafkaClient } from './kafka-client.js'
import { KafkajsBrokers } from './kafkajs-workarounds/kafkajs-cluster.js'
import { APIS, chooseVersion } from './protocol/apis.js'
import { metadataRequest } from './protocol/requests.js'

const TIMES = { requestTimeoutMs: 10_000, connectTimeoutMs: 30_000 }

export class TopicIds {
  readonly #brokers: KafkajsBrokers

  /** The connections are those of the client, and end with it. */
  constructor(kafka: KafkaClient['kafka'], clock: Clock) {
    this.#brokers = new KafkajsBrokers(kafka, TIMES, clock)
  }

  /**
   * Returns the id of each topic; null for one that does not exist, that this user may not describe, or whose broker tells no
   * ids, as Kafka before 2.8 does.
   * @throws NoResponseError, errors of kafkajs
   */
  async fetch(names: readonly string[]): Promise<ReadonlyMap<string, string | null>> {
    const broker = await this.#brokers.findAny()
    const { maxVersion = -1 } = broker.versions[APIS.metadata.key] ?? {}
    if (maxVersion < APIS.metadata.minVersion) return new Map(names.map((name) => [name, null]))
    const { topics } = await broker.send(metadataRequest(names), chooseVersion(APIS.metadata, broker.versions, 0))
    return new Map(topics.map(({ topic, topicId }) => [topic, topicId ?? null]))
  }
}
