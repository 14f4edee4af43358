/** Makes dead letters fit into records, and makes dead letters of events that no record can hold. */
import { inspect } from 'node:util'
import type { DeadLetter, DeliveryReceipt, InboundMessage, Via } from '../core/event.js'
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

/** The last millisecond that a date of ECMAScript can hold, and so the header `ce_time`. */
const MAX_TIME_MS = 8.64e15

/**
 * Replaces every field that the schema can't hold, whatever its value is.
 * @param body the bytes if the dead letter has none
 * @param problem why the dead letter could not be encoded as it was
 */
export function withFittingFields(letter: DeadLetter, body: Uint8Array, problem: string): DeadLetter {
  const { receivedAt } = letter
  const isTime = Number.isSafeInteger(receivedAt) && Math.abs(receivedAt) <= MAX_TIME_MS
  return {
    kind: 'dead-letter',
    eventId: textOf(letter.eventId),
    source: textOf(letter.source),
    provider: textOf(letter.provider),
    via: VIAS.has(letter.via) ? letter.via : 'OTHER',
    receivedAt: isTime ? receivedAt : 0,
    reason: textOf(letter.reason),
    detail: `${textOf(letter.detail)}; fields that did not fit the schema are replaced: ${problem}`,
    request: Object.fromEntries(Object.entries(letter.request ?? {}).map(([name, value]) => [name, textOf(value)])),
    body: letter.body instanceof Uint8Array ? letter.body : body,
  }
}

const VIAS: ReadonlySet<string> = new Set<Via>(['PULL', 'CALLBACK', 'QUERY', 'OTHER'])

/** Never throws, unlike `String` with an object that has no `toString`. */
const textOf = (value: unknown): string => (typeof value === 'string' ? value : inspect(value))

/** Shortens long texts, and says so in them, for batches so small that the texts alone would fill one. */
export const withShortenedTexts = (letter: DeadLetter): DeadLetter => ({
  ...letter,
  reason: shorten(letter.reason),
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
