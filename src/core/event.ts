/**
 * The three things that leave this product, field for field as the Avro schemas in `schemas/` have them.
 *
 * Times are milliseconds since the epoch. `null` means that the provider did not say.
 */

/** How an item reached us. */
export type Via = 'PULL' | 'CALLBACK' | 'QUERY' | 'OTHER'

/** Message states by their SMPP 5.0 names. */
export const DELIVERY_STATUSES = [
  'SCHEDULED',
  'ENROUTE',
  'DELIVERED',
  'EXPIRED',
  'DELETED',
  'UNDELIVERABLE',
  'ACCEPTED',
  'UNKNOWN',
  'REJECTED',
  'SKIPPED',
] as const
export type DeliveryStatus = (typeof DELIVERY_STATUSES)[number]

const FINAL: ReadonlySet<DeliveryStatus> = new Set([
  'DELIVERED',
  'EXPIRED',
  'DELETED',
  'UNDELIVERABLE',
  'REJECTED',
  'SKIPPED',
])

/** Whether no further receipt is to be expected after this status. */
export const isFinal = (status: DeliveryStatus): boolean => FINAL.has(status)

/** What every record says of where it comes from. */
export interface Envelope {
  /** The same for the same item whenever it is decoded again; see `decode.ts`. */
  readonly eventId: string
  /** The key under `sources` in the configuration. */
  readonly source: string
  readonly provider: string
  readonly via: Via
  readonly receivedAt: number
}

/** What became of an SMS that was sent. */
export interface DeliveryReceipt extends Envelope {
  readonly kind: 'dlr'
  readonly messageId: string
  readonly recipient: string | null
  readonly sender: string | null
  readonly status: DeliveryStatus
  readonly final: boolean
  /** The provider's own value, as sent. */
  readonly providerStatus: string
  readonly providerStatusText: string | null
  readonly errorCode: string | null
  readonly occurredAt: number | null
  /** Every field of the item as sent; see `Raw`. */
  readonly raw: Raw
}

/** What a handset wrote. */
export interface InboundMessage extends Envelope {
  readonly kind: 'mo'
  readonly messageId: string | null
  readonly sender: string
  readonly recipient: string | null
  readonly text: string
  readonly keyword: string | null
  readonly inReplyTo: string | null
  readonly occurredAt: number | null
  readonly raw: Raw
}

/** What we hold but could not make an event of. */
export interface DeadLetter extends Envelope {
  readonly kind: 'dead-letter'
  readonly reason: string
  readonly detail: string
  /** Facts of the request: method, path without the token, query, content-type, status. */
  readonly request: Readonly<Record<string, string>>
  readonly body: Uint8Array
}

export type Event = DeliveryReceipt | InboundMessage | DeadLetter

/**
 * Every field of an item: keys as sent, nested JSON as `data[id]`; strings unchanged, but for lone surrogates, other JSON
 * values as their JSON text; a repeated parameter as `name[0]`, `name[1]`.
 */
export type Raw = Readonly<Record<string, string>>
