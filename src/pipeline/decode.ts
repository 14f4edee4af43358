/**
 * Turns bytes in custody into events: each item that the provider's decoder finds, in an envelope.
 *
 * Decoding is pure. The same entry gives the same events with the same ids, also after a crash, and when it is imported into
 * another journal.
 */
import { hash } from 'node:crypto'
import { messageOf } from '../core/errors.js'
import { type Event, hashToEventId, isFinal } from '../core/event.js'
import type { Received } from '../core/received.js'
import { readMalformedAnswer } from '../http-client/malformed-answer.js'
import type { Entry, NewEntry } from '../journal/journal.js'
import type { DeadLetterItem, DecodeSettings, Identity, Item, Provider } from '../providers/provider.js'

/** An event, its index in its entry, and the bytes that it was read from. */
export interface DecodedItem {
  readonly event: Event
  /** The index of the item in its entry, counted from 0. */
  readonly itemIndex: number
  /** Whether the event id follows from the item itself. Only then can the item be a duplicate. */
  readonly isIdentified: boolean
  /** The bytes of the row or report. */
  readonly body: Uint8Array
}

/** What the decoder needs to know of a source. */
export interface DecodableSource {
  readonly provider: Provider
  readonly settings: DecodeSettings
}

/**
 * An entry becomes at most this many dead letters. Otherwise a body of nothing but `{},{},…` would become more of them than
 * it has bytes for.
 */
const MAX_DEAD_LETTERS_PER_ENTRY = 1_000

/**
 * Decodes what was received. `decodeDeadLetter` in replay.ts decodes an entry that is a dead letter.
 *
 * @param source the source that the entry came from; undefined if the configuration has it no more
 */
export function* decode(
  entry: Entry,
  source: DecodableSource | undefined,
  journalId: string,
): Generator<DecodedItem, void, undefined> {
  const { origin } = entry
  const entryId = origin?.kind === 'import' ? `${origin.journalId}-${origin.seq}` : `${journalId}-${entry.seq}`
  const toDecodedItem = (item: Item, itemIndex: number): DecodedItem => {
    const identity = identityOf(item, entry)
    // An item without an identity gets another event id with each arrival, and the same one each time it is decoded.
    const eventId = identity ? hashToEventId([entry.source, item.kind, ...identity]) : `${entryId}-${itemIndex}`
    return { event: toEvent(item, entry, eventId), itemIndex, isIdentified: identity !== null, body: item.body }
  }
  let itemIndex = 0
  try {
    for (const item of itemsOf(entry, source)) {
      yield toDecodedItem(item, itemIndex)
      itemIndex++
    }
  } catch (error) {
    // Invariant 3: whatever an entry holds, each of its items ends on exactly one topic. Providers must not throw, and must not
    // return what is no item. If one does, the entry must not block the entries behind it.
    yield toDecodedItem(decoderFailed(entry, error), itemIndex)
  }
}

function* itemsOf(entry: Entry, source: DecodableSource | undefined): Generator<Item, void, undefined> {
  if (source?.provider.name !== entry.provider) {
    // Invariant 6: what the configuration no longer names is not decoded by a guess. The entry can be replayed later.
    yield unknownSource(entry)
    return
  }
  let unreadable = 0
  for (const item of decodeAnswer(entry, (received) => source.provider.decode(received, source.settings))) {
    if (item.kind === 'dead-letter') unreadable++
    if (item.kind !== 'dead-letter' || unreadable < MAX_DEAD_LETTERS_PER_ENTRY) yield item
  }
  if (unreadable < MAX_DEAD_LETTERS_PER_ENTRY) return
  const detail =
    `${unreadable} items of one request or page could not be read; the first ${MAX_DEAD_LETTERS_PER_ENTRY - 1} ` +
    'have dead letters of their own, and this one holds all of them'
  yield deadLetter('too-many-unreadable', detail, entry)
}

export const unknownSource = (entry: NewEntry): DeadLetterItem => {
  const missing = `the configuration has no source "${entry.source}" of provider ${entry.provider} any more`
  return deadLetter('unknown-source', `${missing}; put it back and replay this`, entry)
}

export const decoderFailed = (entry: NewEntry, error: unknown): DeadLetterItem => {
  const failure = `the decoder of provider ${entry.provider} failed: ${messageOf(error)}`
  return deadLetter('decoder-failed', `${failure}; report it with this body, and replay this when it is fixed`, entry)
}

/**
 * Decodes the body of an entry, or each response in an answer whose framing is damaged. What is in no response, and a body
 * that nothing can be read from, becomes a dead letter with all bytes that the reading left.
 */
export function* decodeAnswer(
  entry: Received,
  decodeBody: (received: Received) => Iterable<Item>,
): Generator<Item, void, undefined> {
  const framingError = entry.facts['framing-error']
  if (framingError === undefined) {
    yield* decodeBody(entry)
    return
  }
  const { responses, unread } = readMalformedAnswer(entry)
  let hasWholeAnswer = false
  for (const { received, bytes } of responses) {
    for (const item of decodeBody(received)) {
      const isWholeBody = item.kind === 'dead-letter' && item.body.byteLength === received.body.byteLength
      yield isWholeBody ? { ...item, body: bytes } : item
      hasWholeAnswer ||= isWholeBody && bytes === entry.body
    }
  }
  if (unread.byteLength === 0 || hasWholeAnswer) return
  const detail = `${framingError}; these ${unread.byteLength} of ${entry.body.byteLength} bytes belong to no body`
  yield { kind: 'dead-letter', reason: 'unreadable-answer', detail, body: unread }
}

const deadLetter = (reason: string, detail: string, { body }: Received): DeadLetterItem => ({
  kind: 'dead-letter',
  reason,
  detail,
  body,
})

/**
 * A message log returns the same row each time it is read. If the provider does not identify a row, its bytes do. Anywhere
 * else two items with the same bytes can be different items.
 */
export const identityOf = (item: Item, entry: NewEntry): Identity => {
  const identity = item.kind === 'dead-letter' ? null : item.identity
  if (identity !== null || entry.via !== 'QUERY') return identity
  return ['row', hash('sha256', item.body, 'hex')]
}

/**
 * Copies receipts and messages field by field: object spread costs more than everything else in this file.
 * @throws TypeError if a provider returned what is no item. Fields of wrong types are left to the encoder.
 */
export function toEvent(item: Item, entry: NewEntry, eventId: string): Event {
  const { source, provider, via, receivedAt, facts } = entry
  if (!(item.body instanceof Uint8Array)) throw new TypeError(`it returned a ${item.kind} without bytes`)
  switch (item.kind) {
    case 'dlr':
      return {
        kind: 'dlr',
        eventId,
        source,
        provider,
        via,
        receivedAt,
        messageId: item.messageId,
        recipient: item.recipient,
        sender: item.sender,
        status: item.status,
        final: item.isFinal ?? isFinal(item.status),
        providerStatus: item.providerStatus,
        providerStatusText: item.providerStatusText,
        errorCode: item.errorCode,
        occurredAt: item.occurredAt,
        raw: item.raw,
        clientReference: item.clientReference,
        network: item.network,
        segments: item.segments,
        price: item.price,
        part: item.part,
      }
    case 'mo':
      return {
        kind: 'mo',
        eventId,
        source,
        provider,
        via,
        receivedAt,
        messageId: item.messageId,
        sender: item.sender,
        recipient: item.recipient,
        text: item.text,
        keyword: item.keyword,
        inReplyTo: item.inReplyTo,
        occurredAt: item.occurredAt,
        raw: item.raw,
        part: item.part,
        clientReference: item.clientReference,
        network: item.network,
        optOut: item.optOut,
      }
    case 'dead-letter':
      return { ...item, eventId, source, provider, via, receivedAt, request: { ...facts } }
    default:
      throw new TypeError('it returned an item of an unknown kind')
  }
}
