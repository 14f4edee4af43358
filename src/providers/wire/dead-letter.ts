/**
 * The dead letters that decoders make. Their reasons are a closed list, because metrics count dead letters by reason.
 */
import type { DeadLetterItem, Item } from '../provider.js'

/** Each reason code, and what it stands for. */
export const DEAD_LETTER_REASONS = {
  'account-refused': 'the provider refused the request instead of answering it',
  'ambiguous-answer': 'the answer names no message, and the request asked for several',
  'ambiguous-report': 'an id or a status looks like several',
  'conflicting-fields': 'a field that decides what the item means was sent more than once, with different values',
  'cut-page': 'the bytes end before the document does; the whole rows before that became events',
  'decoder-failed': 'the decoder failed because of a defect in the connector; the dead letter has all bytes',
  'missing-id': 'a receipt does not say which message it is about',
  'missing-sender': 'an inbound message has no sender',
  'missing-status': 'an item has no status',
  'missing-text': 'an inbound message has none of the text fields',
  'not-a-page': 'an answer of a queue has no `results`',
  'not-a-report': 'a callback or an answer has nothing of a receipt or message in it',
  'not-a-row': 'an element of a list of items is not an object',
  'not-json': 'bytes are not JSON where JSON is expected',
  'too-complex': 'there are more fields, deeper nesting or longer names than any item has',
  'trailing-bytes': 'more bytes follow the end of the document',
  undecodable: 'the content coding or the character set can not be decoded',
  'unequal-counts': 'repeated parameters can not be paired, because some occur more often than others',
  'unreadable-answer': 'the framing of an answer is damaged, and these bytes of it belong to no body',
  'unsupported-event': 'the event type is neither a receipt nor an inbound message',
} as const

export type DeadLetterReason = keyof typeof DEAD_LETTER_REASONS

/**
 * @param detail a sentence for people: what was found, where, and what to do
 * @param body the bytes of the item if they can be told apart, else the whole body that was received
 */
export const deadLetter = (reason: DeadLetterReason, detail: string, body: Uint8Array): DeadLetterItem => ({
  kind: 'dead-letter',
  reason,
  // The detail may quote what was found, and the quotation may end inside a surrogate pair.
  detail: detail.toWellFormed(),
  body,
})

/** The dead letter for an item in which a field was sent twice with different values. */
export const conflictDeadLetter = (conflict: string, body: Uint8Array): DeadLetterItem =>
  deadLetter('conflicting-fields', `${conflict}; which one counts can't be known`, body)

export const repeatedFieldDeadLetter = (name: string, body: Uint8Array): DeadLetterItem =>
  conflictDeadLetter(`${name} was sent more than once with different values`, body)

/** The dead letter for items whose shared fields are too large to be repeated in each (`areTooLargeToShare`). */
export const sharedFieldsDeadLetter = (itemCount: number, body: Uint8Array): DeadLetterItem =>
  deadLetter(
    'too-complex',
    `the fields that ${itemCount} items share are too large to be repeated in each of them`,
    body,
  )

/** The dead letter for an item that has more than `MAX_FIELDS_PER_ITEM` fields. */
export const tooManyFieldsDeadLetter = (fieldCount: number, body: Uint8Array): DeadLetterItem =>
  deadLetter('too-complex', `the item has ${fieldCount} fields, which is more than any real item has`, body)

/**
 * Calls a decoder and turns anything that it throws into a dead letter with the whole body: a defect of the decoder
 * must not lose bytes (invariant 3).
 */
export function* decodeSafely(decode: () => Iterable<Item>, body: Uint8Array): Iterable<Item> {
  try {
    yield* decode()
  } catch (error) {
    const message = error instanceof Error ? `${error.name}: ${error.message}` : String(error)
    const detail = `the decoder failed: ${message}; report the defect with this body, and replay it after the correction`
    yield deadLetter('decoder-failed', detail, body)
  }
}
