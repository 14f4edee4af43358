/** Who polls and reconciles: this process alone, or replicas that share the work; built from the configuration. */
import type { Logger } from 'pino'
import type { Clock } from '../core/clock.js'
import type { Config } from '../config/types.js'
import { RegistryClient } from '../registry/registry-client.js'
import { createFinalityReader } from '../replicas/receipt-finality.js'
import type { Journal } from '../journal/journal.js'
import { registerAllCompressions } from '../kafka/compression.js'
import { createKafkaClient } from '../kafka/kafka-client.js'
import { formatKafkaError, isRefusedByBroker } from '../kafka/kafka-errors.js'
import { ensureTopics } from '../kafka/topics.js'
import { kafkaSettings } from './publishing.js'
import { lookBackOf } from './reconciliation.js'
import { Replica, type SourceWork } from '../replicas/replica.js'
import type { SharingObserver } from '../core/observers.js'
import { WorkSwitch } from '../replicas/work-switch.js'

/** Polling and reconciling, wherever it is divided. */
export interface WorkScheduler {
  start(works: readonly SourceWork[]): void
  /** Resolves when nothing is polled or asked here any more. */
  stop(hurry: AbortSignal): Promise<void>
}

export interface ReplicaSetup {
  readonly journal: Journal
  readonly clock: Clock
  readonly log: Logger
  readonly observer: SharingObserver
}

/** Of the sharing topic, where we make it: the most replicas that can have a source each. */
const PARTITIONS = 12

/** @returns undefined where the configuration has no `sharing` */
export function buildReplica(config: Config, parts: ReplicaSetup): Replica | undefined {
  const { sharing } = config
  if (sharing === undefined) return undefined
  registerAllCompressions()
  const { clock, log, journal } = parts
  const { createTopics } = config.kafka
  const sources = [...config.sources.values()]
  return new Replica(
    {
      ...sharing,
      instance: config.instance,
      sources: sources.filter(({ pull, reconcile }) => pull ?? reconcile).map(({ name }) => name),
      reconciled: sources.filter(({ reconcile }) => reconcile).map(({ name }) => name),
      topics: Object.values<string>(config.kafka.topics),
    },
    {
      ...parts,
      client: () => createKafkaClient(kafkaSettings(config), clock, log),
      openTopic: async (admin) => {
        const topics = { sharing: sharing.topic }
        const creation = createTopics && { createTopics: { ...createTopics, partitions: PARTITIONS } }
        return (await ensureTopics(admin, { topics, ...creation }, clock)).get(sharing.topic) ?? 0
      },
      isFinal: createFinalityReader(new RegistryClient(config.registry), clock),
      lookBackOf: (name) => lookBackOf(config.sources.get(name)!, config, journal.watchList, clock.now()),
      isRefusal: isRefusedByBroker,
      explain: formatKafkaError,
    },
  )
}

/** Everything here, for as long as this process runs. */
export function standaloneScheduler(
  observer: Pick<SharingObserver, 'membershipChanged' | 'ownershipChanged'>,
): WorkScheduler {
  let switches: WorkSwitch[] = []
  return {
    start(works) {
      observer.membershipChanged('assigned', 0, null, [])
      for (const { source } of works) observer.ownershipChanged(source, true)
      switches = works
        .flatMap(({ poll, reconcile }) => [poll, reconcile].flatMap((begin) => begin ?? []))
        .map((begin) => new WorkSwitch(begin))
      for (const each of switches) each.set(true)
    },
    async stop(hurry) {
      await Promise.all(switches.map((each) => each.stop(hurry)))
    },
  }
}
