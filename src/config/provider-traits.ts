/** What the configuration must know about each provider: what it supports, and the addresses of its APIs. */
import { parseTemplate, type SignatureScheme } from './signature-scheme.js'

export interface QueueTraits {
  /** Default address; absent if the provider gives each account its own. */
  readonly url?: string
  /** The name of the parameter that carries the page size. */
  readonly limitParameter: string
  /** False if an API key is all that the provider takes. */
  readonly needsUsername: boolean
}

export interface ProviderTraits {
  /** The queue that can be pulled; absent for a provider without one. */
  readonly pull?: QueueTraits
  /** Default base address of the API that can be queried for missed items; absent for a provider without one. */
  readonly reconcileUrl?: string
  /** How the provider signs its callbacks; absent for a provider that does not sign them. */
  readonly signature?: SignatureScheme
  /**
   * Default names of the fields that may hold the text of an inbound message; absent for a provider whose documentation
   * names that field.
   */
  readonly textFields?: readonly string[]
  /** Whether the provider's callbacks name an event type. */
  readonly namesEventTypes: boolean
  /** The answer that the provider expects to a callback; absent if any 200 will do. */
  readonly answer?: { readonly status: number; readonly contentType?: string; readonly body?: string }
  /** Identifies the contents of the description, so that a change of it is a change of the sources; absent for coded providers. */
  readonly digest?: string
}

/** https://docs.seven.io/en/rest-api/signing and https://docs.seven.io/en/rest-api/webhooks. X-Timestamp is in Unix seconds. */
const SEVEN_SIGNATURE: SignatureScheme = {
  hmac: {
    algorithm: 'sha256',
    encoding: 'hex',
    signature: { header: 'X-Signature' },
    timestamp: { header: 'X-Timestamp' },
    nonce: { header: 'X-Nonce' },
    message: parseTemplate('{timestamp}\\n{nonce}\\n{method}\\n{url}\\n{body-md5-hex}')!,
  },
}

export const PROVIDERS = {
  mtarget: {
    pull: { url: 'https://api-public-2.mtarget.fr/notification', limitParameter: 'max', needsUsername: true },
    textFields: ['Content', 'Msg', 'Text', 'text', 'Message'],
    namesEventTypes: false,
  },
  seven: { reconcileUrl: 'https://gateway.seven.io/api', signature: SEVEN_SIGNATURE, namesEventTypes: true },
} as const satisfies Record<string, ProviderTraits>

export type ProviderName = keyof typeof PROVIDERS
export const PROVIDER_NAMES = Object.keys(PROVIDERS) as ProviderName[]

/** @returns undefined for a name that is not the name of a coded provider */
export const traitsOf = (name: unknown): ProviderTraits | undefined =>
  PROVIDER_NAMES.includes(name as ProviderName) ? PROVIDERS[name as ProviderName] : undefined

/** The name of a provider. One that is described in a file has the name of the file. */
export const PROVIDER_NAME_PATTERN = '^[a-z0-9][a-z0-9-]{0,49}$'
export const PROVIDER_NAME_EXPECTED =
  'a name of at most 50 lower-case letters, digits and hyphens that begins with a letter or a digit'

/** The providers that a configuration can name: those that are coded, and those that are described in files. */
export interface KnownProviders {
  readonly names: readonly string[]
  /**
   * @returns undefined for a name that is not the name of a provider, and a sentence if the description of the provider can't
   * be used
   */
  find(name: string): ProviderTraits | { readonly problem: string } | undefined
}

export const CODED_PROVIDERS: KnownProviders = { names: PROVIDER_NAMES, find: traitsOf }

/** What a provider has if nothing but callbacks is known of it. */
export const CALLBACKS_ONLY: ProviderTraits = { namesEventTypes: false }

/** The names of the coded providers that a condition holds for, separated by commas. */
export const providersWith = (condition: (traits: ProviderTraits) => boolean): string =>
  PROVIDER_NAMES.filter((name) => condition(PROVIDERS[name])).join(', ')
