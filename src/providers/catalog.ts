/**
 * All providers by name: the coded ones, those that the connector brings descriptions of, and those that the user describes.
 *
 * A description of the user takes the place of one that the connector brings, so that a fact can be corrected without waiting
 * for a release. A file is read when its provider is looked up for the first time.
 */
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import {
  CALLBACKS_ONLY,
  type KnownProviders,
  type ProviderTraits,
  type QueueTraits,
  traitsOf,
} from '../config/provider-traits.js'
import type { SignatureScheme } from '../config/signature-scheme.js'
import { ConnectorError, hasCode, messageOf } from '../core/errors.js'
import type { Description, QueueDescription } from './described/description.js'
import { loadDescription } from './described/load.js'
import { describedProvider } from './described/provider.js'
import { providers as codedProviders } from './index.js'
import type { Provider } from './provider.js'

/** `config/providers`, seen from `src/providers` as well as from `dist/providers`. */
const SHIPPED_DIRECTORY = fileURLToPath(new URL('../../config/providers', import.meta.url))
const EXTENSION = '.yaml'

export class ProviderCatalog implements KnownProviders {
  /** The files of descriptions, by the names of their providers. */
  readonly #files: ReadonlyMap<string, string>
  readonly #described = new Map<string, DescribedProvider>()

  /**
   * @param directory of the user's descriptions; undefined for none
   * @throws ConnectorError CONFIG_INVALID: the directory can't be read
   */
  constructor(directory?: string) {
    const files = new Map(filesIn(SHIPPED_DIRECTORY))
    if (directory !== undefined) for (const [name, file] of filesIn(directory)) files.set(name, file)
    for (const name of codedProviders.keys()) files.delete(name)
    this.#files = files
  }

  get names(): string[] {
    return [...codedProviders.keys(), ...this.#files.keys()]
  }

  find(name: string): ProviderTraits | { readonly problem: string } | undefined {
    const coded = traitsOf(name)
    if (coded !== undefined || !this.#files.has(name)) return coded
    try {
      return this.#describedProvider(name).traits
    } catch (error) {
      if (!hasCode(error, 'CONFIG_INVALID')) throw error
      return { problem: `its description can't be used: ${messageOf(error).split('\n').join('; ')}` }
    }
  }

  /** What is known of each provider, in the order of the names. */
  summaries(): ProviderSummary[] {
    return this.names.map((name) => this.summary(name))
  }

  /** @param name one of `names` */
  summary(name: string): ProviderSummary {
    const coded = codedProviders.get(name)
    if (coded !== undefined) return summaryOfCoded(coded)
    const file = this.#files.get(name)!
    try {
      return { ...summaryOf(this.#describedProvider(name).description), file }
    } catch (error) {
      if (!hasCode(error, 'CONFIG_INVALID')) throw error
      return { name, title: "can't be used", items: [], file, problem: messageOf(error) }
    }
  }

  /** @throws ConnectorError CONFIG_INVALID: there is no such provider, or its description has problems */
  provider(name: string): Provider {
    return codedProviders.get(name) ?? this.#describedProvider(name).provider
  }

  #describedProvider(name: string): DescribedProvider {
    const known = this.#described.get(name)
    if (known !== undefined) return known
    const file = this.#files.get(name)
    if (file === undefined) throw new ConnectorError('CONFIG_INVALID', `there is no provider named ${name}`)
    const { description, digest } = loadDescription(file)
    if (description.provider !== name) {
      const problem = `${file}: describes the provider ${description.provider}; name the file ${description.provider}${EXTENSION}`
      throw new ConnectorError('CONFIG_INVALID', problem)
    }
    const { answer, verification, pull } = description
    const traits = {
      ...CALLBACKS_ONLY,
      ...(answer !== undefined && { answer }),
      ...(verification !== undefined && { signature: verification }),
      ...(pull !== undefined && { pull: queueTraits(pull) }),
      digest,
    }
    const described = { provider: describedProvider(description), traits, description }
    this.#described.set(name, described)
    return described
  }
}

interface DescribedProvider {
  readonly provider: Provider
  readonly traits: ProviderTraits
  readonly description: Description
}

export interface ProviderSummary {
  readonly name: string
  /** The aggregator and its product. */
  readonly title: string
  /** What the connector receives from it: `receipts`, `messages`, and by which other ways than callbacks. */
  readonly items: readonly string[]
  /** Absent for a coded provider. */
  readonly file?: string
  readonly documents?: readonly string[]
  readonly attested?: string
  readonly unattested?: string
  /** How it signs its callbacks; absent if it does not. */
  readonly verification?: string
  /** Why the description can't be used. */
  readonly problem?: string
}

const CODED_TITLES: Readonly<Record<string, string>> = {
  mtarget: 'Mtarget, queue and push',
  seven: 'seven, status URL and webhooks',
}

/** Each coded provider sends both receipts and messages. */
const summaryOfCoded = ({ name, pull, reconcile }: Provider): ProviderSummary => ({
  name,
  title: CODED_TITLES[name] ?? name,
  items: ['receipts', 'messages', ...(pull ? ['pull'] : []), ...(reconcile ? ['reconcile'] : [])],
  ...verificationOf(traitsOf(name)?.signature),
})

const verificationOf = (signature: SignatureScheme | undefined): Pick<ProviderSummary, 'verification'> =>
  signature === undefined ? {} : { verification: Object.keys(signature).join() }

const queueTraits = ({ url, limitParameter, credentials }: QueueDescription): QueueTraits => ({
  ...(url !== undefined && { url }),
  limitParameter,
  needsUsername: credentials.header === undefined,
})

const summaryOf = ({
  provider,
  title,
  items,
  documents,
  attested,
  unattested,
  verification,
  pull,
}: Description): ProviderSummary => {
  const kinds = new Set(items.map(({ kind }) => kind))
  return {
    name: provider,
    title,
    items: [
      ...(kinds.has('receipt') ? ['receipts'] : []),
      ...(kinds.has('message') ? ['messages'] : []),
      ...(pull ? ['pull'] : []),
    ],
    documents,
    ...(attested !== undefined && { attested }),
    ...(unattested !== undefined && { unattested }),
    ...verificationOf(verification),
  }
}

/** The files of a directory with the names of their providers, in alphabetical order. */
const filesIn = (directory: string): [name: string, file: string][] => {
  try {
    return readdirSync(directory)
      .filter((file) => file.endsWith(EXTENSION))
      .sort()
      .map((file) => [file.slice(0, -EXTENSION.length), join(directory, file)])
  } catch (error) {
    const problem = `providers.directory: ${directory} can't be read: ${messageOf(error)}`
    throw new ConnectorError('CONFIG_INVALID', problem)
  }
}
