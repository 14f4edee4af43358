/** Which fields of a request fill a field of a record, by the descriptions of aggregators in `config/providers`. */
import { readdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { loadDescription } from '../../src/providers/described/load.js'
import type { ItemDescription } from '../../src/providers/described/description.js'

export interface DescribedProvider {
  /** The name of the provider in records, for example `twilio`. */
  readonly provider: string
  readonly items: readonly ItemDescription[]
}

const DIRECTORY = fileURLToPath(new URL('../../config/providers/', import.meta.url))

export const loadDescribedProviders = (): readonly DescribedProvider[] =>
  readdirSync(DIRECTORY)
    .filter((file) => file.endsWith('.yaml'))
    .map((file) => loadDescription(`${DIRECTORY}${file}`).description)

/** Returns the names of the fields that fill each field of a record, for one kind of item. */
export function describedFields(
  { items }: DescribedProvider,
  kind: ItemDescription['kind'],
): ReadonlyMap<string, readonly string[]> {
  const found = new Map<string, readonly string[]>()
  for (const item of items.filter((each) => each.kind === kind)) {
    for (const [field, names] of Object.entries(fieldsOf(item))) {
      if (names !== undefined) found.set(field, [...new Set([...(found.get(field) ?? []), ...names])])
    }
  }
  return found
}

const fieldsOf = (item: ItemDescription): Readonly<Record<string, readonly string[] | undefined>> => ({
  messageId: item.messageId,
  recipient: item.recipient,
  sender: item.sender,
  providerStatus: item.status?.field,
  providerStatusText: item.statusText,
  errorCode: item.errorCode,
  text: item.text?.field,
  keyword: item.keyword,
  inReplyTo: item.inReplyTo,
  occurredAt: item.occurredAt?.field,
  clientReference: item.clientReference,
  network: item.network,
  segments: item.segments,
  price: item.price && [...item.price.amount, ...(item.price.currency ?? [])],
  part: item.part && [...item.part.reference, ...item.part.number, ...item.part.total],
  optOut: item.optOut?.field,
})
