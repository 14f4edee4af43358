/** What asks providers for what we missed, built from the configuration. */
import type { Logger } from 'pino'
import type { Clock } from '../core/clock.js'
import type { Config, SourceConfig } from '../config/types.js'
import type { ReconcileObserver } from '../core/observers.js'
import type { SharedKnowledge } from '../reconciliation/answer-keeper.js'
import { Reconciler } from '../reconciliation/reconciler.js'
import type { Journal, WatchList } from '../journal/journal.js'
import { KnownItems, type KnownItemsDeps } from '../reconciliation/known-items.js'
import type { WatchHandler } from '../admin/watch-request.js'
import { providers } from '../providers/index.js'

export interface ReconciliationDeps {
  readonly journal: Journal
  readonly source: KnownItemsDeps['source']
  readonly clock: Clock
  readonly log: Logger
  readonly observer: ReconcileObserver
  /** Where replicas share the work. */
  readonly shared?: ((source: string) => SharedKnowledge) | undefined
}

const DAY = 86_400_000
/** seven's ids are of use for 30 days. */
const LONGEST_REACH = 28 * DAY
const LOGS = ['outbound', 'inbound']

/** What begins to reconcile a source, each time anew; undefined for one that is not reconciled. */
export function reconcilerFor(
  { name, provider: providerName, reconcile: settings }: SourceConfig,
  config: Config,
  { shared, ...deps }: ReconciliationDeps,
): (() => Reconciler) | undefined {
  const provider = providers.get(providerName)
  if (settings === undefined || provider?.reconcile === undefined) return undefined
  const { reconcile } = provider
  const { url, apiKey, ...options } = settings
  const reach = Math.min(LONGEST_REACH, config.duplicates.remember - 2 * DAY)
  return () => {
    const known = new KnownItems(deps)
    return new Reconciler(
      { source: name, account: { url, apiKey }, reach, ...options },
      {
        ...deps,
        provider: { ...provider, reconcile },
        recognise: (entry) => known.recognise(entry),
        shared: shared?.(name),
      },
    )
  }
}

/**
 * How far back what a source's queries turn up can have been published, in ms: the days of a walk, or of a long absence
 * that a walk makes up for, and the messages that are asked for.
 */
export function windowOf(source: SourceConfig, config: Config, watchList: WatchList, now: number): number {
  if (source.reconcile === undefined) return 0
  const { giveUpAfter, every, log } = source.reconcile
  const walked = Math.min(...LOGS.map((direction) => watchList.lastWalkStartedAt(source.name, direction) || now))
  const walk = Math.max((log.days + 2) * DAY, Math.min(now - walked, LONGEST_REACH) + 2 * DAY)
  // A message whose time is over may be asked for once more, for as long again.
  const asked = giveUpAfter + Math.max(giveUpAfter, 2 * every) + DAY
  return Math.min(Math.max(walk, asked), config.duplicates.remember)
}

/** `POST /sources/<source>/watch` */
export function watchHandler(
  config: Config,
  { journal, clock, added }: Pick<ReconciliationDeps, 'journal' | 'clock'> & { readonly added?: () => void },
): WatchHandler {
  return async (source, messageIds) => {
    if (config.sources.get(source)?.reconcile === undefined) return 'unknown-source'
    await journal.watchList.add(source, messageIds, clock.now())
    added?.()
    return 'accepted'
  }
}
