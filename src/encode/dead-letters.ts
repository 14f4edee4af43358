/** Makes dead letters fit into records, and makes dead letters of events that no record can hold. */
import type { DeadLetter, DeliveryReceipt, InboundMessage } from '../core/event.js'
import { excerpt, hideCredentials, hideSecretsInOutput } from '../masking/known-secrets.js'
import type { Origin } from './encoder.js'

/** The bytes of body in one record, at most. */
export const MAX_PART_BYTES = 512 * 1024
/** The length of each text of a dead letter that is shortened to fit into the smallest batches. */
const MAX_SHORTENED_CHARACTERS = 1024

/** A dead letter with the fields of its schema. */
export interface DeadLetterPart extends DeadLetter {
  readonly part: number
  readonly parts: number
}

/**
 * Splits a dead letter into at least one part. Joined in order, the bodies of the parts are the body.
 * @param partBytes bytes of body in each part, at least 1
 */
export function splitIntoParts(letter: DeadLetter, partBytes: number): DeadLetterPart[] {
  const body = Buffer.from(letter.body.buffer, letter.body.byteOffset, letter.body.byteLength)
  const parts = Math.max(1, Math.ceil(body.length / partBytes))
  return Array.from({ length: parts }, (_, part) => ({
    ...letter,
    body: body.subarray(part * partBytes, (part + 1) * partBytes),
    part,
    parts,
  }))
}

/** The `ce_id` of a part: `eventId` for the first, then `eventId/1`, `eventId/2` and so on. */
export const partId = ({ eventId, part }: DeadLetterPart): string => (part === 0 ? eventId : `${eventId}/${part}`)

/** Makes the dead letter that is published instead of an event. */
export const deadLetterInsteadOf = (
  { eventId, source, provider, via, receivedAt }: DeliveryReceipt | InboundMessage,
  { facts, body }: Origin,
  reason: string,
  detail: string,
): DeadLetter => {
  const request = { ...facts }
  return { kind: 'dead-letter', eventId, source, provider, via, receivedAt, reason, detail, request, body }
}

/** What a dead letter may quote of its sender. The body has all of it. */
const MAX_DETAIL_CHARACTERS = 1_000

/**
 * Hides the secrets of this process in the texts of a dead letter: a provider may repeat a password in its content type. The query
 * may be all that a callback has sent, so only what can be nothing but a secret is hidden in it. The body stays as it was received.
 */
export const withoutSecrets = (letter: DeadLetter): DeadLetter => ({
  ...letter,
  detail: excerpt(letter.detail, MAX_DETAIL_CHARACTERS, hideCredentials),
  request: Object.fromEntries(
    Object.entries(letter.request).map(([name, value]) => [
      name,
      name === 'query' ? hideSecretsInOutput(value) : hideCredentials(value),
    ]),
  ),
})

/** Shortens long texts, and says so in them, for batches so small that the texts alone would fill one. */
export const withShortenedTexts = (letter: DeadLetter): DeadLetter => ({
  ...letter,
  detail: shorten(letter.detail),
  request: Object.fromEntries(Object.entries(letter.request).map(([name, value]) => [name, shorten(value)])),
})

const shorten = (text: string): string =>
  text.length <= MAX_SHORTENED_CHARACTERS
    ? text
    : `${text.slice(0, MAX_SHORTENED_CHARACTERS).toWellFormed()}… (cut, ${text.length} characters)`

/** Whether `withShortenedTexts` has shortened this text, so that the rest of it is missing. */
export const isShortened = (text: string): boolean =>
  /^… \(cut, \d+ characters\)$/.test(text.slice(MAX_SHORTENED_CHARACTERS))
