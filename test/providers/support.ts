import type { Via } from '../../src/core/event.js'
import { providers } from '../../src/providers/index.js'
import type { DecodeSettings, Item, Provider } from '../../src/providers/provider.js'
import type { RequestFacts } from '../../src/core/received.js'
import type { Received } from '../../src/core/received.js'
import { SETTINGS } from './provider-contract.js'

export const providerNamed = (name: string): Provider => {
  const provider = providers.get(name)
  if (!provider) throw new Error(`there is no provider named ${name}`)
  return provider
}

export const received = (via: Via, body: string | Uint8Array = '', facts: Partial<RequestFacts> = {}): Received => ({
  via,
  receivedAt: 1_795_000_000_000,
  facts: { method: 'POST', path: '/callbacks/some-source', query: '', ...facts },
  body: typeof body === 'string' ? Buffer.from(body) : body,
})

export const decodeWith =
  (name: string) =>
  (each: Received, settings: Partial<DecodeSettings> = {}): Item[] => [
    ...providerNamed(name).decode(each, { ...SETTINGS, ...settings }),
  ]

export const textOf = (item: Item): string => Buffer.from(item.body).toString()
