/** Dead letters that decoding makes: a closed list of reasons, so that they can be counted. */
import type { DeadLetterItem, Item } from '../provider.js'

export const DEAD_REASONS = {
  'account-refused': 'the provider refused the call instead of answering it',
  'ambiguous-answer': 'an answer that names no message, to a question that named several',
  'ambiguous-report': 'an id or a status in which there seem to be several',
  'conflicting-fields': 'a field that decides what the item means was sent more than once, with different values',
  'cut-page': 'the bytes end before the document does; whole rows before the cut became events',
  'decoder-failed': 'a defect of this product: the decoder failed, all bytes are here',
  'missing-id': 'a receipt that does not say which message it is about',
  'missing-sender': 'an inbound message without a sender',
  'missing-status': 'an item without a status',
  'missing-text': 'an inbound message in which no text field is present',
  'not-a-page': 'an answer of a queue that has no `results`',
  'not-a-report': 'a callback or answer in which nothing of a report is found',
  'not-a-row': 'an element of a list of items that is not an object',
  'not-json': 'bytes that stand where JSON should, and are none',
  'too-complex': 'more fields, deeper nesting or longer names than any item has',
  'trailing-bytes': 'bytes behind the end of the document',
  undecodable: 'a content coding or character set that can not be undone',
  'unequal-counts': 'repeated parameters that do not pair up',
  'unsupported-event': 'an event type that is neither a receipt nor an inbound message',
} as const

export type DeadReason = keyof typeof DEAD_REASONS

/** So much was sent beside the items that it would not fit into the `raw` of all: `tooMuchShared`. */
export const tooMuch = (items: number, body: Uint8Array): DeadLetterItem =>
  dead('too-complex', `${items} items, and more beside them than can be given to each`, body)

/** @param detail a sentence for people: what was found, where, what to do */
export const dead = (reason: DeadReason, detail: string, body: Uint8Array): DeadLetterItem => ({
  kind: 'dead-letter',
  reason,
  detail: detail.toWellFormed(), // it quotes what was found, maybe up to the middle of a pair
  body,
})

/** The edge of a decoder: a defect of ours must lose nothing either (invariant 3). */
export function* withoutFail(items: () => Iterable<Item>, body: Uint8Array): Iterable<Item> {
  try {
    yield* items()
  } catch (error) {
    const what = error instanceof Error ? `${error.name}: ${error.message}` : String(error)
    yield dead(
      'decoder-failed',
      `the decoder failed with ${what}; report it with this body, and replay this once it is mended`,
      body,
    )
  }
}
