/**
 * Entries as JSON: what `journal export` writes, one entry on each line, and what `POST /journal/entries` takes.
 *
 * The fields are `source`, `provider`, `via`, `receivedAt` (milliseconds since the epoch), `facts` (an object of texts), `body`
 * (Base64) and `origin`: `{"kind": "import", "journalId": "…", "seq": 1}` or
 * `{"kind": "dead-letter", "eventId": "…", "reason": "…"}`. An import of an entry that is published in part has a `place` too.
 */
import type { Via } from '../core/event.js'
import type { RequestFacts } from '../core/received.js'
import type { EntryOrigin, EntryWithOrigin } from './journal.js'

/** The ways in which an entry can have been received. `OTHER` is only a default value of the record schemas. */
const VIAS: readonly Via[] = ['PULL', 'CALLBACK', 'QUERY']

/** @returns one line of JSON, without a line break */
export const formatEntry = ({ source, provider, via, receivedAt, facts, body, origin }: EntryWithOrigin): string =>
  JSON.stringify({
    source,
    provider,
    via,
    receivedAt,
    facts,
    body: Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString('base64'),
    origin,
  })

/**
 * @param value parsed JSON; fields that are not listed above are ignored
 * @returns the entry, or a clause that says what is wrong
 */
export function parseEntry(value: unknown): { readonly entry: EntryWithOrigin } | { readonly problem: string } {
  if (!isObject(value)) return { problem: 'the entry is not an object' }
  const { source, provider, via, receivedAt, facts, body, origin } = value
  if (!isName(source)) return { problem: expected('source', `a text of 1 to ${MAX_NAME_BYTES} bytes`) }
  if (!isName(provider)) return { problem: expected('provider', `a text of 1 to ${MAX_NAME_BYTES} bytes`) }
  if (!isVia(via)) return { problem: expected('via', VIAS.join(', ')) }
  if (!isTime(receivedAt)) {
    return { problem: expected('receivedAt', `a whole number of milliseconds, at most ${MAX_TIME_MS}`) }
  }
  if (!isFacts(facts)) {
    const names = `at most ${MAX_FACTS} names of lower-case letters and hyphens`
    return { problem: expected('facts', `an object of texts with method, path and query, and ${names}`) }
  }
  const bytes = typeof body === 'string' ? decodeBase64(body) : undefined
  if (bytes === undefined) return { problem: expected('body', 'Base64') }
  const parsedOrigin = parseOrigin(origin)
  if (parsedOrigin === undefined) {
    const kinds =
      '{"kind": "import", "journalId": text, "seq": number} or ' +
      '{"kind": "dead-letter", "eventId": text, "reason": text}'
    return { problem: expected('origin', kinds) }
  }
  return { entry: { source, provider, via, receivedAt, facts, body: bytes, origin: parsedOrigin } }
}

const expected = (field: string, what: string): string => `${field}: expected ${what}`

function parseOrigin(value: unknown): EntryOrigin | undefined {
  if (!isObject(value)) return undefined
  const { kind, eventId, reason, journalId, seq, place } = value
  if (kind === 'dead-letter' && isName(eventId) && isName(reason)) return { kind, eventId, reason }
  if (kind === 'import' && isName(journalId) && isWholeNumber(seq)) {
    if (place === undefined) return { kind, journalId, seq }
    if (isName(place)) return { kind, journalId, seq, place }
  }
  return undefined
}

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const isVia = (value: unknown): value is Via => VIAS.some((via) => via === value)

/** Bytes of UTF-8. Names become parts of keys of the journal, which hold about four times as many. */
const MAX_NAME_BYTES = 250

const isName = (value: unknown): value is string =>
  typeof value === 'string' && value !== '' && value.isWellFormed() && Buffer.byteLength(value) <= MAX_NAME_BYTES

const isWholeNumber = (value: unknown): value is number => Number.isSafeInteger(value) && Number(value) >= 0

/** The last millisecond that a date of ECMAScript can hold. A later time has no text for the header `ce_time`. */
const MAX_TIME_MS = 8.64e15

const isTime = (value: unknown): value is number => isWholeNumber(value) && value <= MAX_TIME_MS

/**
 * The encoder shortens long facts so that a dead letter fits into a record, but keeps their names. With more or longer names no
 * broker would take the record, and publishing would stop at it.
 */
const MAX_FACTS = 16
const FACT_NAME = /^[a-z-]{1,64}$/

const isFacts = (value: unknown): value is RequestFacts & Readonly<Record<string, string>> =>
  isObject(value) &&
  ['method', 'path', 'query'].every((name) => Object.hasOwn(value, name)) &&
  Object.keys(value).length <= MAX_FACTS &&
  Object.entries(value).every(([name, fact]) => FACT_NAME.test(name) && typeof fact === 'string')

/** `Buffer.from` skips what is not Base64, so what it has read is compared with what was given. */
const decodeBase64 = (text: string): Buffer | undefined => {
  const bytes = Buffer.from(text, 'base64')
  return bytes.toString('base64') === text ? bytes : undefined
}
