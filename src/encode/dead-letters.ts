/** Dead letters as records: cut where the body is long, and made of events that no record can hold. */
import type { DeadLetter, DeliveryReceipt, InboundMessage } from '../core/event.js'
import type { Origin } from './encoder.js'

/** Bytes of body that one record takes at most. */
export const LONGEST_PART = 512 * 1024
/** What the facts of a request may take before they are shortened to fit the smallest batches. */
const LONGEST_FACT = 1024

/** As the schema has it. */
export interface DeadLetterPart extends DeadLetter {
  readonly part: number
  readonly parts: number
}

/**
 * @param bytes of body per part, at least 1
 * @returns at least one part; joined in order their bodies are the body
 */
export function splitIntoParts(letter: DeadLetter, bytes: number): DeadLetterPart[] {
  const body = Buffer.from(letter.body.buffer, letter.body.byteOffset, letter.body.byteLength)
  const parts = Math.max(1, Math.ceil(body.length / bytes))
  return Array.from({ length: parts }, (_, part) => ({
    ...letter,
    body: body.subarray(part * bytes, (part + 1) * bytes),
    part,
    parts,
  }))
}

/** `ce_id`: the event's id, then `eventId/1` … */
export const partId = ({ eventId, part }: DeadLetterPart): string => (part === 0 ? eventId : `${eventId}/${part}`)

/** The dead letter in place of an event that can't leave as what it is. */
export const inPlaceOf = (
  event: DeliveryReceipt | InboundMessage,
  origin: Origin,
  reason: string,
  detail: string,
): DeadLetter => ({
  kind: 'dead-letter',
  eventId: event.eventId,
  source: event.source,
  provider: event.provider,
  via: event.via,
  receivedAt: event.receivedAt,
  reason,
  detail,
  request: { ...origin.facts },
  body: origin.body,
})

/** With long facts cut, visibly: for batches so small that the facts alone would fill one. */
export const withShortenedDetail = (letter: DeadLetter): DeadLetter => ({
  ...letter,
  detail: shorten(letter.detail),
  request: Object.fromEntries(Object.entries(letter.request).map(([key, value]) => [key, shorten(value)])),
})

const shorten = (text: string): string =>
  text.length <= LONGEST_FACT ? text : `${text.slice(0, LONGEST_FACT).toWellFormed()}… (cut, ${text.length} characters)`
