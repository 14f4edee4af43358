/**
 * The three kinds of record that the connector publishes, field for field as in the Avro schemas in `schemas/`, where
 * each field is documented per provider.
 *
 * Times are milliseconds since the epoch. A field is `null` where the provider does not send the value.
 */
import { hash } from 'node:crypto'

const IDENTIFIED_EVENT_ID = /^[0-9a-f]{32}$/

/** Returns the event id of an item that its parts identify: the first 128 bits of their SHA-256, in hexadecimal. */
export const hashToEventId = (parts: readonly string[]): string =>
  hash('sha256', JSON.stringify(parts), 'hex').slice(0, 32)

/** Whether an event id is of the form that `hashToEventId` returns. An item with any other id never arrives twice. */
export const isIdentifiedEventId = (eventId: string): boolean => IDENTIFIED_EVENT_ID.test(eventId)

/** The way in which an item reached the connector. `OTHER` exists only as the default value of the schemas. */
export type Via = 'PULL' | 'CALLBACK' | 'QUERY' | 'OTHER'

/** The message states of SMPP 5.0 (parameter `message_state`), by the names that the specification gives them. */
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

const FINAL_STATUSES: ReadonlySet<DeliveryStatus> = new Set([
  'DELIVERED',
  'EXPIRED',
  'DELETED',
  'UNDELIVERABLE',
  'REJECTED',
  'SKIPPED',
])

/** Whether the provider sends no further receipt for a message that has this status. */
export const isFinal = (status: DeliveryStatus): boolean => FINAL_STATUSES.has(status)

/** The fields that every record has. */
export interface Envelope {
  /** Identifies the item. Decoding the same bytes again gives the same id; `pipeline/decode.ts` forms it. */
  readonly eventId: string
  /** The key under `sources` in the configuration. */
  readonly source: string
  /** The aggregator: `mtarget`, `seven`. */
  readonly provider: string
  readonly via: Via
  /** When the connector received the item, by its own clock. */
  readonly receivedAt: number
}

/** Which part of a long text an item is about, for a provider that sends the parts one by one and in any order. */
export interface Part {
  /** The same in all parts of one text, as sent. It is unique only together with source, sender and recipient. */
  readonly reference: string
  /** The place of this part, from 1. */
  readonly number: number
  /** How many parts the text has. */
  readonly total: number
}

/** What the provider charged for a message. */
export interface Price {
  /** A decimal number with a point, as sent. */
  readonly amount: string
  /** ISO 4217 code; null where the provider does not say. */
  readonly currency: string | null
}

/**
 * What a provider that recognises opt-outs took an inbound message for. `OTHER` is another kind that the provider names,
 * and the default value of the schema.
 */
export type OptOut = 'STOP' | 'START' | 'HELP' | 'OTHER'

/** A status of an SMS that was sent, as the provider reported it once. */
export interface DeliveryReceipt extends Envelope {
  readonly kind: 'dlr'
  /** The provider's id of the message. */
  readonly messageId: string
  /** The number that the message was sent to: `+` and digits if it is an international number, else as sent. */
  readonly recipient: string | null
  /** The number or name that the message was sent from, in the same form. */
  readonly sender: string | null
  readonly status: DeliveryStatus
  readonly final: boolean
  /** The provider's own value of the status, as sent. */
  readonly providerStatus: string
  /** The provider's own text about the status, as sent. */
  readonly providerStatusText: string | null
  /** The provider's or the operator's code of a failure, as sent. */
  readonly errorCode: string | null
  /** When the message reached the status, by the provider's clock. */
  readonly occurredAt: number | null
  readonly raw: Raw
  /** The sender's own reference, given when the message was sent. */
  readonly clientReference: string | null
  /** The recipient's mobile network: digits, mobile country code and then mobile network code (ITU-T E.212). */
  readonly network: string | null
  /** How many SMS the message was sent or charged as. */
  readonly segments: number | null
  readonly price: Price | null
  /** Null if the receipt is about the message as a whole. */
  readonly part: Part | null
}

/** An SMS that a handset sent to one of our numbers (mobile-originated). */
export interface InboundMessage extends Envelope {
  readonly kind: 'mo'
  /** The provider's id of the message. */
  readonly messageId: string | null
  /** The handset's number: `+` and digits if it is an international number, else as sent. */
  readonly sender: string
  /** The number or short code that the message was sent to, in the same form. */
  readonly recipient: string | null
  /** The text, unchanged. It may be empty. */
  readonly text: string
  /** The keyword that the provider found in the text, as sent. */
  readonly keyword: string | null
  /** The provider's id of the sent message that this one replies to. */
  readonly inReplyTo: string | null
  /** When the provider received the message, by the provider's clock. */
  readonly occurredAt: number | null
  readonly raw: Raw
  /** Null for a whole text. */
  readonly part: Part | null
  /** The sender's own reference of the message that this one replies to, if the provider sends it back. */
  readonly clientReference: string | null
  /** The handset's mobile network, in the same form as in a receipt. */
  readonly network: string | null
  /** Null if the provider says nothing about opt-outs. The text is never interpreted. */
  readonly optOut: OptOut | null
}

/** Received bytes that no receipt or message could be made of. */
export interface DeadLetter extends Envelope {
  readonly kind: 'dead-letter'
  /** A code in kebab case, for programs: `not-a-page`, `missing-text`. */
  readonly reason: string
  /** A sentence for people: what was found, where, and what to do. */
  readonly detail: string
  /** The fields of `RequestFacts`. */
  readonly request: Readonly<Record<string, string>>
  /** The bytes of the row or report if it can be told apart from the rest, else the whole body that was received. */
  readonly body: Uint8Array
}

export type Event = DeliveryReceipt | InboundMessage | DeadLetter

/**
 * Every field of an item, by the key that the provider sent. A nested JSON value has a key of the form `data[id]`, a
 * repeated parameter has the keys `name[0]`, `name[1]`. Strings are unchanged, except that a lone surrogate is replaced by
 * U+FFFD because UTF-8 can't represent it. Other JSON values are kept as their JSON text.
 */
export type Raw = Readonly<Record<string, string>>
