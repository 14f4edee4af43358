/**
 * The records on the topics of dlr-mo-connector, as a decoder gives them that leaves `timestamp-millis` as a number and a union with
 * null as the value or null (avsc, @kafkajs/confluent-schema-registry). Generated from `schemas/*.avsc` by `npm run contracts`.
 */

/** The states of a message by their SMPP 5.0 names. UNKNOWN also stands for a state that this version of the schema does not know. */
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

/** PULL: the connector read the item from the provider's queue. CALLBACK: the provider called the connector. QUERY: the connector asked for what it had missed. OTHER: a way that this version of the schema does not know. */
export type Via =
  | 'PULL'
  | 'CALLBACK'
  | 'QUERY'
  | 'OTHER'

/** What the provider charged. */
export interface Price {
  /** A decimal number with a point, as sent; never a float, so that nothing is rounded. seven: price of the message log. Example: `0.075`. */
  readonly amount: string
  /** ISO 4217 code. null if the provider does not say, as seven. Example: `EUR`. */
  readonly currency: string | null
}

/** Which part of a long text this is. */
export interface Part {
  /** The same in all parts of one text, as sent. It is unique only together with source, sender and recipient, and providers use a reference again after a while. Mtarget: msglong.id. Example: `143`. */
  readonly reference: string
  /** The place of this part, counted from 1. Mtarget: msglong.msgref. Example: `2`. */
  readonly number: number
  /** The number of parts of the text. Mtarget: msglong.msgcount. Example: `3`. */
  readonly total: number
}

/** STOP: wants no more messages. START: wants them again. HELP: asks for help. OTHER: another kind that the provider names, or that this version of the schema does not know. */
export type OptOut =
  | 'STOP'
  | 'START'
  | 'HELP'
  | 'OTHER'

/** A status of an SMS that was sent, as the provider reported it once. Several follow each other for one message; the record key is messageId, so they keep the order in which they were received. For an aggregator with a description, docs/schemas.md lists the fields that each value is read from. */
export interface DeliveryReceipt {
  /** Identifies the receipt: the same however often and by whichever way it was received. 32 hexadecimal digits of a SHA-256 over what identifies it (seven: source, message id, status; Mtarget: source, message id, recipient, status, time if sent; else what the description names). If the provider identifies nothing: journal id, sequence number and place in the entry, joined by hyphens; in the answer to a query a SHA-256 of its bytes. Filled for every provider. Example: `9f86d081884c7d659a2feaa0c55ad015`. */
  readonly eventId: string
  /** The account that the item came from: the key under `sources` in the connector's configuration. Filled for every provider. Example: `marketing-fr`. */
  readonly source: string
  /** The aggregator: `mtarget`, `seven`, or the name of a description, such as `twilio`. Filled for every provider. Example: `mtarget`. */
  readonly provider: string
  /** The provider's id of the message, as given when it was sent. Filled for every provider. Mtarget: MsgId or ticket, the ticket of the sending request, shared by all recipients of a batch. seven: msg_id. Example: `77123456789`. */
  readonly messageId: string
  /** The number that the message was sent to: `+` and digits if it is an international number (E.164), else as sent. null if the provider does not say (seven's callbacks). Mtarget: DestinationAdress. Example: `+33612345678`. */
  readonly recipient: string | null
  /** The number or name that the message was sent from: `+` and digits if it is an international number (E.164), else as sent. null if the provider does not say. Mtarget: OriginatedAddress. Example: `AcmeInc`. */
  readonly sender: string | null
  /** The status, by its SMPP 5.0 name. UNKNOWN also if the provider sent a value that its document does not list; that value is in providerStatus. Filled for every provider. Example: `DELIVERED`. */
  readonly status: DeliveryStatus
  /** Whether no further receipt is to be expected. If the provider says so itself, what it says; else true for DELIVERED, EXPIRED, DELETED, UNDELIVERABLE, REJECTED and SKIPPED. Filled for every provider. Example: `true`. */
  readonly final: boolean
  /** The provider's own value of the status, as sent. Filled for every provider. Mtarget: Status. seven: status. Example: `3`. */
  readonly providerStatus: string
  /** What the provider adds to the status for people, as sent; it may contain a phone number. null if it adds nothing. Mtarget: StatusText, else Reason. Example: `Message delivered to the handset`. */
  readonly providerStatusText: string | null
  /** The provider's or the operator's code of a failure, as sent. null if there is none. Mtarget: RSN, else code. Example: `30003`. */
  readonly errorCode: string | null
  /** When the message reached the status, by the provider's clock, in milliseconds since 1970-01-01T00:00:00Z. null if the provider sent no time, or none that can be read without guessing; raw has it as sent. Mtarget: DeliveryDateTime. seven: timestamp, else webhook_timestamp. Example: `1764313198000`. */
  readonly occurredAt: number | null
  /** When the connector received the item, by its own clock, in milliseconds since 1970-01-01T00:00:00Z; also the timestamp of the record. Filled for every provider. Example: `1764313200123`. */
  readonly receivedAt: number
  /** The way in which the item reached the connector. Filled for every provider. Example: `CALLBACK`. */
  readonly via: Via
  /** Every field of the receipt, by the name that the provider sent: nested JSON as `data[id]`, the envelope's fields included; strings unchanged, other JSON values as their JSON text; a repeated parameter as `name[0]`, `name[1]`. The configuration can mask or empty it (`records.dlr.raw`). Filled for every provider. Example: `{"MsgId":"77123456789","Status":"3"}`. */
  readonly raw: Readonly<Record<string, string>>
  /** The sender's own reference, given when the message was sent: the key that joins this receipt to what was sent. null if none was given or the provider does not send it back. Mtarget: remoteid. seven: foreign_id. Example: `order-4711`. */
  readonly clientReference: string | null
  /** The mobile network of the recipient: 5 or 6 digits, mobile country code and then mobile network code (ITU-T E.212). null if the provider does not say. seven: mccmnc of the message log. Example: `20801`. */
  readonly network: string | null
  /** The number of SMS that the message was sent or charged as. null if the provider does not say. Mtarget: smscount. Example: `2`. */
  readonly segments: number | null
  /** What the provider charged for the message. null if the provider does not say. seven: price of the message log. Example: `{"amount":"0.075","currency":"EUR"}`. */
  readonly price: Price | null
  /** Which part of a long message the receipt is about, for a provider that reports each part. null if the receipt is about the message as a whole. Mtarget: msglong. Example: `{"reference":"143","number":2,"total":3}`. */
  readonly part: Part | null
}

/** A message that a handset sent to one of the sender's numbers (mobile-originated). The record key is sender, or a hash of it if the configuration says so (`records.mo.keySecret`), so the messages of one handset keep the order in which they were received. For an aggregator with a description, docs/schemas.md lists the fields that each value is read from. */
export interface InboundMessage {
  /** Identifies the message. seven: 32 hexadecimal digits of a SHA-256 over source and id, the same however often the message was received; for an aggregator with a description the same over what the description names. Mtarget, which identifies no inbound message: journal id, sequence number and place in the entry, joined by hyphens; the same when it is replayed, another for every arrival; in the answer to a query a SHA-256 of its bytes. Filled for every provider. Example: `60303ae22b998861bce3b28f33eec1be`. */
  readonly eventId: string
  /** The account that the item came from: the key under `sources` in the connector's configuration. Filled for every provider. Example: `marketing-fr`. */
  readonly source: string
  /** The aggregator: `mtarget`, `seven`, or the name of a description, such as `twilio`. Filled for every provider. Example: `mtarget`. */
  readonly provider: string
  /** The provider's id of this message. null if it sends none. Mtarget: MsgId. seven: data[id]. Example: `681590`. */
  readonly messageId: string | null
  /** The handset: `+` and digits if it is an international number (E.164), else as sent (a short code, a name). Filled for every provider. Mtarget: Msisdn, else OriginatedAddress. seven: data[sender]. Example: `+33612345678`. */
  readonly sender: string
  /** The number or short code that the handset wrote to: `+` and digits if it is an international number (E.164), else as sent. null if the provider does not say. Mtarget: DestinationAdress. seven: data[system]. Example: `36063`. */
  readonly recipient: string | null
  /** The text, unchanged; it may be empty. The configuration can mask or empty it (`records.mo.text`). Filled for every provider. Mtarget: the first field present of those in the source's `textFields`. seven: data[text]. Example: `Yes, see you at 10`. */
  readonly text: string
  /** The keyword that the provider found in the text, as sent. null if the provider does not say. Mtarget: Keyword, which is `Default` if it found none. Example: `PROMO`. */
  readonly keyword: string | null
  /** The provider's id of the sent message that this one answers. null if the provider does not say. seven: reply_to_message_id. Example: `77123456789`. */
  readonly inReplyTo: string | null
  /** When the provider received the message, by the provider's clock, in milliseconds since 1970-01-01T00:00:00Z. null if the provider sent no time, or none that can be read without guessing; raw has it as sent. Mtarget: DeliveryDateTime. seven: data[time]. Example: `1764313198000`. */
  readonly occurredAt: number | null
  /** When the connector received the item, by its own clock, in milliseconds since 1970-01-01T00:00:00Z; also the timestamp of the record. Filled for every provider. Example: `1764313200123`. */
  readonly receivedAt: number
  /** The way in which the item reached the connector. Filled for every provider. Example: `CALLBACK`. */
  readonly via: Via
  /** Every field of the message, by the name that the provider sent: nested JSON as `data[id]`, the envelope's fields included; strings unchanged, other JSON values as their JSON text; a repeated parameter as `name[0]`, `name[1]`. The configuration can mask or empty it (`records.mo.raw`). Filled for every provider. Example: `{"Msisdn":"0033612345678","Content":"Yes"}`. */
  readonly raw: Readonly<Record<string, string>>
  /** Which part of a long text this record holds, for a provider that delivers the parts one by one and in any order. null for a whole text. Mtarget: msglong. Example: `{"reference":"143","number":2,"total":3}`. */
  readonly part: Part | null
  /** The sender's own reference of the message that this one replies to. null if none was given or the provider does not send it back. Mtarget: remoteid. seven: foreign_id. Example: `order-4711`. */
  readonly clientReference: string | null
  /** The mobile network of the handset: 5 or 6 digits, mobile country code and then mobile network code (ITU-T E.212). null if the provider does not say. Example: `20801`. */
  readonly network: string | null
  /** What the provider took the message for, if it recognises opt-outs. null if it says nothing; the text is never interpreted. Mtarget: STOP if Keyword is `Stop`. Example: `STOP`. */
  readonly optOut: OptOut | null
}

/** Something received that no event could be made of, with all that is needed to look at it and to replay it. The record key is source. A body over 512 KiB is cut into several records of the same key and eventId: joined in the order of `part` they are the body. */
export interface DeadLetter {
  /** Identifies the dead letter, the same in all its parts and when it is replayed: journal id, sequence number and place in the entry, joined by hyphens. For an event that was too large for a record (reason `too-large`): that event's id. Filled for every provider. Example: `k3v9x2-1042-0`. */
  readonly eventId: string
  /** The account that the item came from: the key under `sources` in the connector's configuration. Filled for every provider. Example: `marketing-fr`. */
  readonly source: string
  /** The aggregator: `mtarget`, `seven`, or the name of a description, such as `twilio`. Filled for every provider. Example: `mtarget`. */
  readonly provider: string
  /** The way in which the item reached the connector. Filled for every provider. Example: `CALLBACK`. */
  readonly via: Via
  /** Why no event could be made of it: a code in kebab case, for programs. The list grows with versions. Filled for every provider. Example: `missing-text`. */
  readonly reason: string
  /** A sentence for people: what was found, where, and what to do; it may contain a phone number. Filled for every provider. Example: `an inbound message has none of the text fields`. */
  readonly detail: string
  /** When the connector received the item, by its own clock, in milliseconds since 1970-01-01T00:00:00Z; also the timestamp of the record. Filled for every provider. Example: `1764313200123`. */
  readonly receivedAt: number
  /** Facts of the request or of the answer that was received: method, path (without a token), query, content-type, content-encoding, status (HTTP, of answers only), complete (`false` if the connection died before all of it was there), framing-error (of a damaged answer, whose body is then the whole answer). Filled for every provider. Example: `{"method":"POST","path":"/callbacks/marketing-fr","query":""}`. */
  readonly request: Readonly<Record<string, string>>
  /** The bytes of the row or report if it could be told apart, else all that was received, unchanged. Filled for every provider. Example: `Msisdn=0033612345678`. */
  readonly body: Uint8Array
  /** Which part of the body this record holds, counted from 0. Filled for every provider. Example: `0`. */
  readonly part: number
  /** The number of parts that the body was cut into. Filled for every provider. Example: `1`. */
  readonly parts: number
}
