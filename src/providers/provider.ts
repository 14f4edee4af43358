/**
 * The port behind which an SMS aggregator is added. An implementation knows the wire format of one provider, and
 * nothing else.
 *
 * A provider is pure. It receives bytes that are already in custody and returns what they mean. It opens no connection,
 * reads no clock, keeps no state and never throws. What it can't read it returns as a dead letter with a reason, so
 * that every byte received ends on exactly one topic (invariant 3) and nothing is guessed (invariant 6).
 *
 * The pipeline calls `decode`, possibly several times for the same bytes, for example after a crash. The poller calls
 * `pull`, and the reconciler calls `reconcile`.
 */
import type { DeadLetter, DeliveryReceipt, Envelope, InboundMessage } from '../core/event.js'
import type { Received } from '../core/received.js'
import type { OutgoingRequest } from '../http-client/connection.js'

/** What the pipeline needs to know about an item beside the fields of its event. */
interface ReadItem {
  readonly identity: Identity
  /** The bytes of the row or report if they can be told apart, else the whole body that was received. */
  readonly body: Uint8Array
}

/** A delivery receipt, with the fields of its event that the provider knows. */
export interface ReceiptItem extends Omit<DeliveryReceipt, keyof Envelope | 'final'>, ReadItem {
  /** Whether no further receipt comes, where the provider says so; else it follows from `status`. */
  readonly isFinal?: boolean
}

/** A mobile-originated message, with the fields of its event that the provider knows. */
export interface MessageItem extends Omit<InboundMessage, keyof Envelope>, ReadItem {}

/** Received bytes that no receipt or message can be made of. */
export type DeadLetterItem = Omit<DeadLetter, keyof Envelope | 'request'>

export type Item = ReceiptItem | MessageItem | DeadLetterItem

/**
 * What makes two arrivals from one source the same item, so that the second one is a duplicate. It is null if the
 * provider does not identify an item. Such an item is never a duplicate: two handsets may well send the same "STOP".
 */
export type Identity = readonly string[] | null

/** The settings of a source that change how its bytes are read. */
export interface DecodeSettings {
  /** The fields that may hold the text of an inbound message; the first one that is present counts (Mtarget only). */
  readonly textFields: readonly string[]
  /** The event types that are dropped on purpose (seven only). */
  readonly ignoreEvents: readonly string[]
  /** Whether messages about a subscription were verified and acted on when they arrived (Amazon SNS only). */
  readonly handlesSubscriptions?: boolean
}

export interface Provider {
  /** The name of the provider in the configuration, and in the field `provider` of every record. */
  readonly name: string
  /**
   * Reads the items of one callback or answer. The same bytes give the same items in the same order. The items should
   * be computed lazily where there may be many: a page can have 50,000 rows, and the pipeline encodes each item before
   * it asks for the next one.
   */
  decode(received: Received, settings: DecodeSettings): Iterable<Item>
  /**
   * Reads the body of a dead letter again: all that was received, or the bytes of one item of it, as they stand in the body
   * after its content coding. Absent for a provider whose `decode` reads both.
   */
  decodeDeadLetter?(received: Received, settings: DecodeSettings): Iterable<Item>
  /** Absent for a provider without a queue that is emptied by reading it. */
  readonly pull?: PullProtocol
  /** Absent for a provider that can't be asked for missed items. */
  readonly reconcile?: ReconcileProtocol
}

export interface PullAccount {
  readonly url: string
  readonly username: string
  readonly password: string
  readonly serviceId?: string
  /** The name of the parameter that carries the page size. */
  readonly limitParameter: string
}

/** How to read a provider's queue. The provider forgets what it hands out. */
export interface PullProtocol {
  /** Builds the request for one page of at most `limit` rows. */
  request(account: PullAccount, limit: number): OutgoingRequest
  /** Classifies an answer, so that the poller knows what to do next. It must agree with `decode`, and never throws. */
  inspect(answer: Received): PullInspection
  /** The body of the answer of an empty queue, without white space. Such an answer holds nothing, and is not stored. */
  readonly emptyPage: string
}

export type PullInspection =
  /**
   * `rows`: the number of items, without account errors. `accountError`: the reason that the first account error gives.
   * `isCut`: the body breaks off, so the provider may have handed out more rows than have arrived.
   */
  | { readonly kind: 'page'; readonly rows: number; readonly isCut?: true; readonly accountError?: string }
  /** A 2xx that is not a page, or another answer that may hold rows. It is stored and becomes a dead letter. */
  | { readonly kind: 'not-a-page'; readonly detail: string; readonly isCut?: true }
  /** Another status, without a page. It is an error of the account and is not stored. */
  | { readonly kind: 'account-error'; readonly detail: string }

export interface ReconcileAccount {
  readonly url: string
  readonly apiKey: string
}

/** A day in the form in which the provider's message log is filtered: YYYY-MM-DD. */
export type Day = string

/**
 * How to ask a provider for items that it reported once and the connector missed. An answer with new items is stored
 * and decoded like a callback. The message log is the provider's own list of the messages that it sent or received.
 */
export interface ReconcileProtocol {
  /** How many message ids one status query may have. */
  readonly maxIdsPerQuery: number
  /** Builds the query for the status of these messages. */
  statusRequest(account: ReconcileAccount, messageIds: readonly string[]): OutgoingRequest
  /**
   * Builds the query for one page of the message log.
   *
   * @param days the first and the last day
   * @param offset the number of rows in front of the page
   */
  logRequest(
    account: ReconcileAccount,
    direction: 'outbound' | 'inbound',
    days: { readonly from: Day; readonly to: Day },
    offset: number,
  ): OutgoingRequest
  /**
   * Classifies an answer, so that the reconciler knows what to do next. It must agree with `decode`, and never throws.
   */
  inspect(answer: Received): ReconcileInspection
}

export type ReconcileInspection =
  /**
   * `rows`: the number of rows, from which the offset of the next page follows. `unsettled`: only for the outbound log.
   */
  | {
      readonly kind: 'answer'
      readonly rows: number
      readonly isLastPage: boolean
      readonly unsettled: readonly UnsettledMessage[]
    }
  /** A 2xx that does not answer the query. It is stored and becomes a dead letter. */
  | { readonly kind: 'not-an-answer'; readonly detail: string }
  /**
   * A refusal, which is not stored. `account`: every query is refused, for now or for good. `request`: this query is
   * refused, and another one, for example with fewer ids, may be answered.
   */
  | { readonly kind: 'refused'; readonly about: 'account' | 'request'; readonly detail: string }

/** A message in the outbound log without a final receipt. */
export interface UnsettledMessage {
  readonly messageId: string
  /** In milliseconds since the epoch; null if the row has no readable time. */
  readonly sentAt: number | null
}
