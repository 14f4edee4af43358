/** Finds the decoder of a source by the name of the source. */
import type { Config } from '../config/types.js'
import type { PipelineSource } from '../pipeline/batches.js'
import { providers } from '../providers/index.js'
import type { Provider } from '../providers/provider.js'

/** Finds what decodes the entries of a source: of every configured source, also in a drain, which receives from none. */
export function sourceFinder(config: Config): (name: string) => PipelineSource | undefined {
  const decoders = new Map(
    [...config.sources.values()].map(({ name, provider, textFields, ignoreEvents, reconcile }) => [
      name,
      {
        provider: providerOf(provider),
        settings: { textFields, ignoreEvents },
        // With sharing, the replica that reconciles a source learns from the topics what to watch (topic-follower.ts).
        updatesWatchList: reconcile !== undefined && config.sharing === undefined,
      },
    ]),
  )
  return (name) => decoders.get(name)
}

/** @throws Error for an unknown provider, which the validation of the configuration excludes */
const providerOf = (name: string): Provider => {
  const provider = providers.get(name)
  if (!provider) throw new Error(`there is no provider named ${name}`)
  return provider
}
