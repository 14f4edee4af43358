/** Builds what pulls from a source and what reconciles it, from the configuration. */
import type { Config, SourceConfig } from '../config/types.js'
import { type Clock, DAY_MS } from '../core/clock.js'
import type { Log } from '../core/log.js'
import type { PullObserver, ReconcileObserver } from '../core/observers.js'
import type { Tracing } from '../core/tracing.js'
import type { Journal, WatchList } from '../journal/journal.js'
import { proxyFor } from '../http-client/proxy.js'
import { Poller } from '../polling/poller.js'
import type { Provider } from '../providers/provider.js'
import { KnownItems, type KnownItemsDeps } from '../reconciliation/known-items.js'
import { Reconciler } from '../reconciliation/reconciler.js'
import type { Replica } from '../replicas/replica.js'

export interface SourceWorkDeps {
  readonly journal: Journal
  readonly clock: Clock
  readonly log: Log
  readonly tracing?: Tracing | undefined
}

export interface ReconciliationDeps extends SourceWorkDeps, Pick<KnownItemsDeps, 'findSource'> {
  readonly observer: ReconcileObserver
  /** Present where replicas share the work. */
  readonly replica: Pick<Replica, 'queryGate'> | undefined
}

/** seven knows a message id for 30 days. Two of them are left for other time zones and long scans. */
const MAX_LOOK_BACK_MS = 28 * DAY_MS

/** Returns a function that creates a poller of the source each time; undefined for a source without `pull`. */
export function pollerFor(
  { name, pull: settings }: SourceConfig,
  provider: Provider,
  { proxy: proxies }: Pick<Config, 'proxy'>,
  deps: SourceWorkDeps & { readonly observer: PullObserver },
): (() => Poller) | undefined {
  const { pull } = provider
  if (settings === undefined || pull === undefined) return undefined
  const proxy = proxyFor(new URL(settings.url), proxies)
  return () => new Poller({ source: name, ...settings, proxy }, { ...deps, provider: { ...provider, pull } })
}

/** Returns a function that creates a reconciler of the source each time; undefined for a source without `reconcile`. */
export function reconcilerFor(
  { name, reconcile: settings }: SourceConfig,
  provider: Provider,
  config: Config,
  { replica, ...deps }: ReconciliationDeps,
): (() => Reconciler) | undefined {
  const { reconcile } = provider
  if (settings === undefined || reconcile === undefined) return undefined
  const maxLookBackMs = Math.min(MAX_LOOK_BACK_MS, config.duplicates.remember - 2 * DAY_MS)
  return () =>
    new Reconciler(
      { ...settings, source: name, maxLookBackMs, proxy: proxyFor(new URL(settings.url), config.proxy) },
      {
        ...deps,
        provider: { ...provider, reconcile },
        knownItems: new KnownItems(deps),
        queryGate: replica?.queryGate(name),
      },
    )
}

/**
 * Returns how many milliseconds ago the items that a source's queries find can have been published: within the days of a
 * scan, within a long absence that a scan makes up for, or while a message was watched.
 */
export function lookBackOf(source: string, config: Config, watchList: WatchList, now: number): number {
  const reconcile = config.sources.get(source)?.reconcile
  if (reconcile === undefined) return 0
  const { giveUpAfter, every, log } = reconcile
  const scanTimes = [watchList.lastScanStartedAt(source, 'outbound'), watchList.lastScanStartedAt(source, 'inbound')]
  const absenceMs = now - Math.min(...scanTimes.map((time) => time || now))
  const scannedMs = Math.max((log.days + 2) * DAY_MS, Math.min(absenceMs, MAX_LOOK_BACK_MS) + 2 * DAY_MS)
  // A message that expired without a query may be queried once more, for as long again.
  const watchedMs = giveUpAfter + Math.max(giveUpAfter, 2 * every) + DAY_MS
  return Math.min(Math.max(scannedMs, watchedMs), config.duplicates.remember)
}
