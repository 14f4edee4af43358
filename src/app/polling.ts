/** What empties the queues of providers, built from the configuration. */
import type { SourceConfig } from '../config/types.js'
import { Poller, type PollerDeps } from '../polling/poller.js'
import { providers } from '../providers/index.js'

/** What begins to poll a source, each time anew; undefined for one that is not pulled. */
export function pollerFor(
  { name, pull, provider: providerName }: SourceConfig,
  deps: Omit<PollerDeps, 'provider'>,
): (() => Poller) | undefined {
  const provider = providers.get(providerName)
  if (!pull || !provider?.pull) return undefined
  const withPull = { ...provider, pull: provider.pull }
  return () => new Poller({ source: name, ...pull }, { ...deps, provider: withPull })
}
