/** Finds the decoder of a source by the name of the source. */
import type { Config } from '../config/types.js'
import type { PipelineSource } from '../pipeline/batches.js'
import { ProviderCatalog } from '../providers/catalog.js'

/**
 * Finds what decodes the entries of a source: of every configured source, also in a drain, which receives from none.
 *
 * A source that a reload removes, or gives another provider, can still be found until the process ends, because entries of it
 * may be in the journal.
 */
export class SourceFinder {
  /** The sources of the present configuration, by name. */
  #current: ReadonlyMap<string, PipelineSource> = new Map()
  /** Every source that was configured since the start, by provider and name. */
  readonly #known = new Map<string, PipelineSource>()

  constructor(config: Config) {
    this.update(decodersOf(config))
  }

  /** Takes over the sources of another configuration. */
  update(decoders: ReadonlyMap<string, PipelineSource>): void {
    this.#current = decoders
    for (const [name, source] of this.#current) this.#known.set(knownKey(source.provider.name, name), source)
  }

  /** @param provider the provider that an entry of the source names; if left out, that of the configuration */
  find(name: string, provider?: string): PipelineSource | undefined {
    const known = provider === undefined ? undefined : this.#known.get(knownKey(provider, name))
    return known ?? this.#current.get(name)
  }
}

/** Returns the decoders of a configuration's sources, by name. @throws ConnectorError CONFIG_INVALID: a description has problems */
export function decodersOf(config: Config): ReadonlyMap<string, PipelineSource> {
  const catalog = new ProviderCatalog(config.providers?.directory)
  return new Map(
    [...config.sources.values()].map(({ name, provider, textFields, ignoreEvents, callback, reconcile }) => [
      name,
      {
        provider: catalog.provider(provider),
        settings: { textFields, ignoreEvents, handlesSubscriptions: callback?.topicArns !== undefined },
        // With sharing, the replica that reconciles a source learns from the topics what to watch (topic-follower.ts).
        updatesWatchList: reconcile !== undefined && config.sharing === undefined,
      },
    ]),
  )
}

/** Returns a function that finds the decoders of a configuration that is never reloaded. */
export function sourceFinder(config: Config): (name: string) => PipelineSource | undefined {
  const finder = new SourceFinder(config)
  return (name) => finder.find(name)
}

/** Neither name contains a space. */
const knownKey = (provider: string, source: string): string => `${provider} ${source}`
