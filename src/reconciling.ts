/** What asks providers for what we missed, built from the configuration. */
import type { Logger } from 'pino'
import type { Clock } from './clock.js'
import type { Config } from './config/config.js'
import type { ReconcileObserver } from './intake/observer.js'
import { Reconciler } from './intake/reconciler.js'
import type { Journal } from './journal/journal.js'
import { KnownItems, type KnownItemsParts } from './known.js'
import type { WatchHandler } from './operate/watch-request.js'
import { providers } from './providers/index.js'

export interface ReconcilingParts {
  readonly journal: Journal
  readonly source: KnownItemsParts['source']
  readonly clock: Clock
  readonly log: Logger
  readonly observer: ReconcileObserver
}

const DAY = 86_400_000
/** seven's ids are of use for 30 days. */
const LONGEST_REACH = 28 * DAY

/** One for each source with `reconcile`. */
export function buildReconcilers(config: Config, parts: ReconcilingParts): Reconciler[] {
  return [...config.sources.values()].flatMap(({ name, provider: providerName, reconcile: settings }) => {
    const provider = providers.get(providerName)
    if (settings === undefined || provider?.reconcile === undefined) return []
    const { url, apiKey, ...options } = settings
    const known = new KnownItems(parts)
    const reach = Math.min(LONGEST_REACH, config.duplicates.remember - 2 * DAY)
    return new Reconciler(
      { source: name, account: { url, apiKey }, reach, ...options },
      {
        ...parts,
        provider: { ...provider, reconcile: provider.reconcile },
        recognise: (entry) => known.recognise(entry),
      },
    )
  })
}

/** `POST /sources/<source>/watch` */
export function watchHandler(
  config: Config,
  { journal, clock }: Pick<ReconcilingParts, 'journal' | 'clock'>,
): WatchHandler {
  return async (source, messageIds) => {
    if (config.sources.get(source)?.reconcile === undefined) return 'unknown-source'
    await journal.watchList.add(source, messageIds, clock.now())
    return 'accepted'
  }
}
