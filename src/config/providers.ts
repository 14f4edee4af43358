/** What a configuration must know of the providers: which of them can do what, and where their API is. */

export interface ProviderTraits {
  /** Address of the queue that can be pulled; absent where there is none. */
  readonly pullUrl?: string
  /** Base address of the API that can be asked for what was missed; absent where there is none. */
  readonly reconcileUrl?: string
  /** Whether its callbacks carry a signature. */
  readonly signs: boolean
  /** Names of the fields in which a message's text is looked for; absent where the provider's document names it. */
  readonly textFields?: readonly string[]
  /** Whether its callbacks name an event type. */
  readonly namesEvents: boolean
}

export const PROVIDERS = {
  mtarget: {
    pullUrl: 'https://api-public-2.mtarget.fr/notification',
    signs: false,
    textFields: ['Content', 'Msg', 'Text', 'text', 'Message'],
    namesEvents: false,
  },
  seven: { reconcileUrl: 'https://gateway.seven.io/api', signs: true, namesEvents: true },
} as const satisfies Record<string, ProviderTraits>

export type ProviderName = keyof typeof PROVIDERS
export const PROVIDER_NAMES = Object.keys(PROVIDERS) as ProviderName[]

export const traitsOf = (name: unknown): ProviderTraits | undefined =>
  PROVIDER_NAMES.find((each) => each === name) && PROVIDERS[name as ProviderName]

/** For sentences such as "is for provider seven". */
export const providersWith = (has: (traits: ProviderTraits) => boolean): string =>
  PROVIDER_NAMES.filter((name) => has(PROVIDERS[name])).join(', ')
