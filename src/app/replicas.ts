/** Builds the replica that shares the work with others, from the configuration. */
import { isDeepStrictEqual } from 'node:util'
import type { Config } from '../config/types.js'
import { RegistryClient } from '../registry/registry-client.js'
import { createFinalityReader } from '../replicas/receipt-finality.js'
import { registerAllCompressions } from '../kafka/compression.js'
import { createKafkaClient } from '../kafka/kafka-client.js'
import { requiredTopics } from '../kafka/settings.js'
import { ensureTopics } from '../kafka/topics.js'
import { kafkaSettings, registrySettings } from './publishing.js'
import { lookBackOf, type SourceWorkDeps } from './source-work.js'
import { Replica } from '../replicas/replica.js'
import type { SharingObserver } from '../core/observers.js'

/** Partitions of the sharing topic, if it is created here. No more replicas than partitions can own sources. */
const SHARING_TOPIC_PARTITIONS = 12

/**
 * @param currentConfig returns the configuration in use, by which new connections are made
 * @returns undefined if the configuration has no `sharing`
 */
export function buildReplica(
  currentConfig: () => Config,
  deps: SourceWorkDeps & { readonly observer: SharingObserver },
): Replica | undefined {
  const config = currentConfig()
  const { sharing } = config
  if (sharing === undefined) return undefined
  registerAllCompressions()
  const { clock, log, journal } = deps
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
      createClient: () => createKafkaClient(kafkaSettings(currentConfig()), clock, log),
      ensureTopic: async (admin) => {
        const { createTopics } = currentConfig().kafka
        const creation = createTopics && { ...createTopics, partitions: SHARING_TOPIC_PARTITIONS }
        const partitions = await ensureTopics(admin, [sharing.topic], creation, clock)
        return partitions.get(sharing.topic) ?? 0
      },
      isFinal: createFinalityReader(currentRegistry(currentConfig), clock),
      lookBackOf: (name) => lookBackOf(name, currentConfig(), journal.watchList, clock.now()),
    },
  )
}

/** Returns a client of the registry that is configured when it is called. */
function currentRegistry(currentConfig: () => Config): Pick<RegistryClient, 'getSchema'> {
  let settings = registrySettings(currentConfig())
  let client = new RegistryClient(settings)
  return {
    getSchema: (id, timeoutMs) => {
      const current = registrySettings(currentConfig())
      if (!isDeepStrictEqual(current, settings)) client = new RegistryClient(current)
      settings = current
      return client.getSchema(id, timeoutMs)
    },
  }
}
