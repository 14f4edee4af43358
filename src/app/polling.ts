/** Builds pollers from the configuration. */
import type { SourceConfig } from '../config/types.js'
import { Poller, type PollerDeps } from '../polling/poller.js'
import { providers } from '../providers/index.js'

/** Returns a function that starts a new poller of the source; undefined for a source without `pull`. */
export function pollerFactory(
  { name, pull, provider: providerName }: SourceConfig,
  deps: Omit<PollerDeps, 'provider'>,
): (() => Poller) | undefined {
  const provider = providers.get(providerName)
  if (!pull || !provider?.pull) return undefined
  const pullingProvider = { ...provider, pull: provider.pull }
  return () => new Poller({ source: name, ...pull }, { ...deps, provider: pullingProvider })
}
