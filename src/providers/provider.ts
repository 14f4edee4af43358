/**
 * The port that an SMS aggregator is added behind: everything that knows its wire format, and nothing else.
 *
 * A provider is pure. It gets bytes that are already in custody and says what they mean; it opens no connection, reads
 * no clock, keeps no state and never throws. What it cannot make sense of it returns as a dead letter with a reason,
 * so that every byte received ends on exactly one topic (invariant 3) and nothing is guessed (invariant 6).
 *
 * Who calls it: the pipeline (`decode`, any number of times for the same bytes, also after a crash), the poller
 * (`pull`) and the reconciler (`reconcile`).
 */
import type { DeliveryStatus, Raw } from '../core/event.js'
import type { Received } from '../core/received.js'
import type { OutgoingRequest } from '../http-client/connection.js'

/** A delivery receipt as the provider's document describes it, before it gets its envelope. */
export interface ReceiptItem {
  readonly kind: 'dlr'
  readonly messageId: string
  readonly recipient: string | null
  readonly sender: string | null
  readonly status: DeliveryStatus
  readonly providerStatus: string
  readonly providerStatusText: string | null
  readonly errorCode: string | null
  readonly occurredAt: number | null
  readonly raw: Raw
  readonly identity: Identity
  readonly body: Uint8Array
}

/** A mobile-originated message, before it gets its envelope. */
export interface MessageItem {
  readonly kind: 'mo'
  readonly messageId: string | null
  readonly sender: string
  readonly recipient: string | null
  readonly text: string
  readonly keyword: string | null
  readonly inReplyTo: string | null
  readonly occurredAt: number | null
  readonly raw: Raw
  readonly identity: Identity
  readonly body: Uint8Array
}

/** Something received that no event can be made of. */
export interface DeadLetterItem {
  readonly kind: 'dead-letter'
  /** Code in kebab case, for machines: `not-a-page`, `missing-text`. */
  readonly reason: string
  /** A sentence for people: what was found, where, what to do. */
  readonly detail: string
  /** The bytes of the row or report where it can be told apart, else all that was received. */
  readonly body: Uint8Array
}

export type Item = ReceiptItem | MessageItem | DeadLetterItem

/**
 * What makes two arrivals the same item, beside the source: the second is a duplicate. `null` where the provider does
 * not identify an item (two handsets may well send the same "STOP"); such an item is never a duplicate.
 */
export type Identity = readonly string[] | null

/** The settings of a source that change how its bytes are read. */
export interface DecodeSettings {
  /** Where an MO's text is looked for, first present wins (Mtarget, whose document does not name it). */
  readonly textFields: readonly string[]
  /** Event types that are dropped on purpose (seven). */
  readonly ignoreEvents: readonly string[]
}

export interface Provider {
  /** As in the configuration and in `provider` of every record. */
  readonly name: string
  /**
   * Pure, total, deterministic: the same bytes give the same items in the same order. Lazy where there may be many: a
   * page can have 50,000 rows, and the pipeline encodes each before it asks for the next.
   */
  decode(received: Received, settings: DecodeSettings): Iterable<Item>
  /** Absent where the provider has no destructive queue. */
  readonly pull?: PullProtocol
  /** Absent where what was missed can't be asked for. */
  readonly reconcile?: ReconcileProtocol
}

export interface PullAccount {
  readonly url: string
  readonly username: string
  readonly password: string
  readonly serviceId?: string
  /** Name of the parameter that carries the page size. */
  readonly limitParameter: string
}

/** A queue that forgets what it hands out. */
export interface PullProtocol {
  request(account: PullAccount, limit: number): OutgoingRequest
  /** What an answer is, for the poller's next step only. Never throws. */
  inspect(answer: Received): PullVerdict
}

export type PullVerdict =
  /** `rows`: items in it, account-error rows not counted; `accountError`: what such a row said. */
  | { readonly kind: 'page'; readonly rows: number; readonly accountError?: string }
  /** A 2xx that is no page: kept, ends as a dead letter. */
  | { readonly kind: 'not-a-page'; readonly detail: string }
  /** Another status without a page: an error of the account, kept nowhere. */
  | { readonly kind: 'account-error'; readonly detail: string }

export interface ReconcileAccount {
  readonly url: string
  readonly apiKey: string
}

/** A day as the provider's journal filters by it: YYYY-MM-DD. */
export type Day = string

/** Asking again for what a provider calls back only once. Every answer is journaled and decoded like any other. */
export interface ReconcileProtocol {
  /** How many ids one status query may carry. */
  readonly idsPerQuery: number
  statusRequest(account: ReconcileAccount, messageIds: readonly string[]): OutgoingRequest
  /** One page of the provider's own log of messages sent, or received, on these days; `offset` counts rows. */
  logRequest(
    account: ReconcileAccount,
    direction: 'outbound' | 'inbound',
    days: { readonly from: Day; readonly to: Day },
    offset: number,
  ): OutgoingRequest
  /** What an answer is, for the reconciler's next step only. Never throws. */
  inspect(answer: Received): ReconcileVerdict
}

export type ReconcileVerdict =
  /** `rows`: how many, so that the walk knows whether another page follows. */
  | {
      readonly kind: 'answer'
      readonly rows: number
      readonly lastPage: boolean
      readonly unsettled: readonly UnsettledMessage[]
    }
  /** A 2xx that is none of the answers to such a question: kept, ends as a dead letter. */
  | { readonly kind: 'not-an-answer'; readonly detail: string }
  /**
   * The provider refuses: kept nowhere. `account`: whatever is asked, now or for good; `request`: this question, and
   * another, a smaller one say, may be answered.
   */
  | { readonly kind: 'refused'; readonly about: 'account' | 'request'; readonly detail: string }

/** A message in the outbound journal whose last word is still to come. */
export interface UnsettledMessage {
  readonly messageId: string
  /** Milliseconds since the epoch; null where the row does not say so legibly. */
  readonly sentAt: number | null
}
