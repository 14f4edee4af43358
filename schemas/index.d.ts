/**
 * The records on the topics of dlr-mo-connector, as a decoder gives them that leaves `timestamp-millis` as a number and a union with
 * null as the value or null (avsc, @kafkajs/confluent-schema-registry). Generated from `schemas/*.avsc` by `npm run contracts`.
 */

/** Message states by their SMPP 5.0 names. */
export type DeliveryStatus =
  | 'SCHEDULED'
  | 'ENROUTE'
  | 'DELIVERED'
  | 'EXPIRED'
  | 'DELETED'
  | 'UNDELIVERABLE'
  | 'ACCEPTED'
  | 'UNKNOWN'
  | 'REJECTED'
  | 'SKIPPED'

/** PULL: read from the provider's queue. CALLBACK: the provider called us. QUERY: we asked for this message's state. */
export type Via =
  | 'PULL'
  | 'CALLBACK'
  | 'QUERY'
  | 'OTHER'

/** What the provider charged. */
export interface Price {
  /** A decimal number with a point, for example `0.075`, as sent. */
  readonly amount: string
  /** ISO 4217 code; null where the provider does not say. */
  readonly currency: string | null
}

/** Which part of a long text this is. */
export interface Part {
  /** The same in all parts of one text, as sent. It is unique only together with source, sender and recipient, and providers use a reference again after a while. Mtarget: msglong.id. */
  readonly reference: string
  /** The place of this part, from 1. Mtarget: msglong.msgref. */
  readonly number: number
  /** How many parts the text has. Mtarget: msglong.msgcount. */
  readonly total: number
}

/** STOP: wants no more messages. START: wants them again. HELP: asks for help. OTHER: another kind that the provider names. */
export type OptOut =
  | 'STOP'
  | 'START'
  | 'HELP'
  | 'OTHER'

/** What became of an SMS that was sent: one status, as a provider reported it once. Several follow each other for one message; the record key is messageId, so they keep their order. */
export interface DeliveryReceipt {
  /** The same for the same receipt however often and by whichever way it reached us: 32 hex digits of a SHA-256 over what identifies it (seven: source, message id, status; Mtarget: source, message id, recipient, status, time if sent). Where a provider identifies nothing: journal id, sequence number and place in the entry, joined by hyphens; in the answer to a query a SHA-256 of its bytes. */
  readonly eventId: string
  /** The account that it came from: the key under `sources` in the connector's configuration. */
  readonly source: string
  /** The aggregator: `mtarget`, `seven`. */
  readonly provider: string
  /** The provider's id of the message, as given when it was sent. Mtarget: MsgId or ticket, the ticket of the sending request, shared by all recipients of a batch. seven: msg_id. */
  readonly messageId: string
  /** Number that the message was sent to: `+` and digits where it was an international number, else as sent. Mtarget: DestinationAdress. null where the provider does not say (seven callbacks). */
  readonly recipient: string | null
  /** Number or name that the message was sent from, in the same form. Mtarget: OriginatedAddress. null where the provider does not say. */
  readonly sender: string | null
  /** The state, normalised. UNKNOWN also where the provider sent a value that its document does not list; that value is in providerStatus. */
  readonly status: DeliveryStatus
  /** Whether no further receipt is to be expected: DELIVERED, EXPIRED, DELETED, UNDELIVERABLE, REJECTED, SKIPPED. */
  readonly final: boolean
  /** The provider's own value of the state, as sent. Mtarget: Status. seven: status. */
  readonly providerStatus: string
  /** What the provider adds to the state for people, as sent. Mtarget: StatusText, else Reason. */
  readonly providerStatusText: string | null
  /** The provider's or the operator's code of a failure, as sent. Mtarget: RSN, else code. */
  readonly errorCode: string | null
  /** When the state was reached, by the provider's clock: milliseconds since 1970-01-01T00:00:00Z. null where the provider sent no time, or none that can be read without guessing; raw has it as sent. */
  readonly occurredAt: number | null
  /** When the connector received it, by its own clock: milliseconds since 1970-01-01T00:00:00Z. */
  readonly receivedAt: number
  /** How it reached us. */
  readonly via: Via
  /** Every field of the receipt: keys as sent, nested JSON as `data[id]`, the envelope's fields included; strings unchanged, other JSON values as their JSON text; a repeated parameter as `name[0]`, `name[1]`. */
  readonly raw: Readonly<Record<string, string>>
  /** The sender's own reference, given when the message was sent: the key that joins this receipt to what was sent. Mtarget: remoteid. seven: foreign_id. */
  readonly clientReference: string | null
  /** The mobile network of the recipient: digits, mobile country code and then mobile network code (ITU-T E.212). seven: mccmnc of the message log. */
  readonly network: string | null
  /** How many SMS the message was sent or charged as. null where the provider does not say. Mtarget: smscount. */
  readonly segments: number | null
  /** What the provider charged for the message. seven: price of the message log. */
  readonly price: Price | null
  /** Which part of a long message this receipt is about, for a provider that reports each part. null where it reports the message as a whole. */
  readonly part: Part | null
}

/** What a handset wrote to one of our numbers (mobile-originated). The record key is sender, so the messages of one handset keep their order. */
export interface InboundMessage {
  /** seven: 32 hex digits of a SHA-256 over source and id, the same however often the message reached us. Mtarget, which identifies no inbound message: journal id, sequence number and place in the entry, joined by hyphens; the same when it is replayed, another for every arrival; in the answer to a query a SHA-256 of its bytes. */
  readonly eventId: string
  /** The account that it came from: the key under `sources` in the connector's configuration. */
  readonly source: string
  /** The aggregator: `mtarget`, `seven`. */
  readonly provider: string
  /** The provider's id of this message. seven: data[id]. Mtarget: MsgId, null where it sends none. */
  readonly messageId: string | null
  /** The handset: `+` and digits where it is an international number, else as sent (a short code, a name). Mtarget: Msisdn, else OriginatedAddress. seven: data[sender]. */
  readonly sender: string
  /** Our number or short code that it was written to, in the same form. Mtarget: DestinationAdress. seven: data[system]. */
  readonly recipient: string | null
  /** The text, unchanged; may be empty. seven: data[text]. Mtarget: the first field present of those in the source's `textFields`. */
  readonly text: string
  /** The keyword that the provider found in the text, as sent. Mtarget: Keyword, which is `Default` if it found none. */
  readonly keyword: string | null
  /** The provider's id of the sent message that this answers, where it says so. seven: reply_to_message_id. */
  readonly inReplyTo: string | null
  /** When the provider got it, by the provider's clock: milliseconds since 1970-01-01T00:00:00Z. seven: data[time]. null where the provider sent no time, or none that can be read without guessing; raw has it as sent. */
  readonly occurredAt: number | null
  /** When the connector received it, by its own clock: milliseconds since 1970-01-01T00:00:00Z. */
  readonly receivedAt: number
  /** How it reached us. */
  readonly via: Via
  /** Every field of the message: keys as sent, nested JSON as `data[id]`, the envelope's fields included; strings unchanged, other JSON values as their JSON text; a repeated parameter as `name[0]`, `name[1]`. */
  readonly raw: Readonly<Record<string, string>>
  /** Which part of a long text this record holds, for a provider that delivers the parts one by one and in any order. null for a whole text. */
  readonly part: Part | null
  /** The sender's own reference of the message that this one replies to, where the provider sends it back. Mtarget: remoteid. seven: foreign_id. */
  readonly clientReference: string | null
  /** The mobile network of the handset: digits, mobile country code and then mobile network code (ITU-T E.212). null where the provider does not say. */
  readonly network: string | null
  /** What the provider took the message for, where it recognises opt-outs. Mtarget: STOP where Keyword is `Stop`. null where it says nothing; the text is never interpreted. */
  readonly optOut: OptOut | null
}

/** Something received that no event could be made of, with all that is needed to look at it and to replay it. The record key is source. A body over 512 KiB is cut into several records of the same key and eventId, written in one transaction: joined in the order of `part` they are the body. */
export interface DeadLetter {
  /** Journal id, sequence number and place in the entry, joined by hyphens; the same when it is replayed and in all its parts. For an event that was too large for a record (reason `too-large`): that event's id. */
  readonly eventId: string
  /** The account that it came from: the key under `sources` in the connector's configuration. */
  readonly source: string
  /** The aggregator: `mtarget`, `seven`. */
  readonly provider: string
  /** How it reached us. */
  readonly via: Via
  /** Code in kebab case, for machines: `not-a-page`, `missing-text`, `too-large`, `unknown-source` and others. */
  readonly reason: string
  /** A sentence for people: what was found, where, what to do. */
  readonly detail: string
  /** When the connector received it, by its own clock: milliseconds since 1970-01-01T00:00:00Z. */
  readonly receivedAt: number
  /** Facts of the request that we got, or of the answer that we were given: method, path without a token, query, content-type, content-encoding, status (HTTP, of answers only), complete (`false` where the connection died before all of it was here). */
  readonly request: Readonly<Record<string, string>>
  /** The bytes of the row or report where it could be told apart, else all that was received, unchanged. */
  readonly body: Uint8Array
  /** Which part of the body this is, from 0. */
  readonly part: number
  /** How many parts the body was cut into. */
  readonly parts: number
}
