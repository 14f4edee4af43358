/** Builds the replica that shares the work with others, from the configuration. */
import type { Config } from '../config/types.js'
import { RegistryClient } from '../registry/registry-client.js'
import { createFinalityReader } from '../replicas/receipt-finality.js'
import { registerAllCompressions } from '../kafka/compression.js'
import { createKafkaClient } from '../kafka/kafka-client.js'
import { requiredTopics } from '../kafka/settings.js'
import { ensureTopics } from '../kafka/topics.js'
import { kafkaSettings } from './publishing.js'
import { lookBackOf, type SourceWorkDeps } from './source-work.js'
import { Replica } from '../replicas/replica.js'
import type { SharingObserver } from '../core/observers.js'

/** Partitions of the sharing topic, if it is created here. No more replicas than partitions can own sources. */
const SHARING_TOPIC_PARTITIONS = 12

/** @returns undefined if the configuration has no `sharing` */
export function buildReplica(
  config: Config,
  deps: SourceWorkDeps & { readonly observer: SharingObserver },
): Replica | undefined {
  const { sharing } = config
  if (sharing === undefined) return undefined
  registerAllCompressions()
  const { clock, log, journal } = deps
  const { createTopics } = config.kafka
  const sources = [...config.sources.values()]
  return new Replica(
    {
      ...sharing,
      instance: config.instance,
      sources: sources.filter(({ pull, reconcile }) => pull ?? reconcile).map(({ name }) => name),
      reconciled: sources.filter(({ reconcile }) => reconcile).map(({ name }) => name),
      topics: requiredTopics(config.kafka),
    },
    {
      ...deps,
      createClient: () => createKafkaClient(kafkaSettings(config), clock, log),
      ensureTopic: async (admin) => {
        const creation = createTopics && { ...createTopics, partitions: SHARING_TOPIC_PARTITIONS }
        const partitions = await ensureTopics(admin, [sharing.topic], creation, clock)
        return partitions.get(sharing.topic) ?? 0
      },
      isFinal: createFinalityReader(new RegistryClient(config.registry), clock),
      lookBackOf: (name) => lookBackOf(config.sources.get(name)!, config, journal.watchList, clock.now()),
    },
  )
}
