/**
 * Prints records for `tail`: masks personal data, and formats a record as a line for people or as JSON.
 *
 * What is not known to be free of personal data is masked, so that a field of a later schema version is masked as well.
 */
import { isHashedNumber } from '../masking/record-fields.js'
import { escapeControls } from '../masking/control-characters.js'
import { hideSecretsInBytes } from '../masking/known-secrets.js'
import { type PersonalData, personalDataMask } from '../masking/personal-data.js'
import { eventIdOf, sourceOf, type DecodedRecord, type TailRecord } from './record-decoder.js'

/** Fields that identify nobody. */
const PUBLIC_FIELDS: ReadonlySet<string> = new Set([
  ...['eventId', 'source', 'provider', 'via', 'receivedAt', 'occurredAt', 'reason', 'part', 'parts'],
  ...['messageId', 'inReplyTo', 'status', 'final', 'providerStatus', 'errorCode'],
  ...['network', 'segments', 'price', 'optOut'],
])
/** Phone numbers, or what stands in their place. */
const NUMBER_FIELDS: ReadonlySet<string> = new Set(['sender', 'recipient'])
/** Sentences that may contain phone numbers. */
const SENTENCE_FIELDS: ReadonlySet<string> = new Set(['detail', 'providerStatusText'])
/** What a dead letter tells of its request and can show; `query` is left out, because it may hold a whole callback. */
const PUBLIC_REQUEST_FACTS: ReadonlySet<string> = new Set([
  ...['method', 'path', 'content-type', 'content-encoding', 'status', 'complete', 'framing-error'],
])
const PUBLIC_HEADERS = /^(ce_(specversion|id|source|type|time)|content-type|traceparent)$/

/** Returns the record with personal data masked. Without masking only bytes change: they become Base64. */
export function presentRecord(record: TailRecord, personalData: PersonalData): TailRecord {
  if (personalData === 'plain') return { ...record, ...(record.value && { value: toPlainObject(record.value) }) }
  const { number } = personalDataMask(personalData)
  return {
    ...record,
    key: record.kind === 'mo' && !isHashedNumber(record.key ?? '') ? number(record.key) : record.key,
    headers: mapValues(record.headers, (value, name) => (PUBLIC_HEADERS.test(name) ? value : countCharacters(value))),
    ...(record.value && { value: maskFields(record.value) }),
  }
}

/** One line of JSON, without the kind, which only serves to format. */
export const toJsonLine = ({ kind: _kind, ...record }: TailRecord): string =>
  JSON.stringify(record satisfies DecodedRecord)

/** One line of text: time, what it is, and the fields that tell most about it. */
export function toTextLine(record: TailRecord, personalData: PersonalData): string {
  const { kind, topic, partition, offset, key, value, problem } = record
  const receivedAt = value?.['receivedAt']
  const time = typeof receivedAt === 'number' ? receivedAt : record.timestamp
  const words = [formatTime(time), kind.padEnd('dead-letter'.length), sourceOf(record) ?? '(no source)']
  if (value === undefined) {
    words.push(`key=${quoteIfNeeded(key)}`, `can't be decoded: ${escapeControls(problem ?? '')}`)
  } else {
    words.push(...describe[kind](value, personalData))
  }
  words.push(`event=${quoteIfNeeded(eventIdOf(record) || null)}`, `at=${topic}/${partition}/${offset}`)
  return words.join(' ')
}

type Fields = Readonly<Record<string, unknown>>

const describe: Readonly<Record<TailRecord['kind'], (value: Fields, personalData: PersonalData) => string[]>> = {
  dlr: (value) => [
    quoteIfNeeded(value['status']),
    ...named('message', value['messageId']),
    ...named('to', value['recipient']),
    ...named('from', value['sender']),
    ...named('error', value['errorCode']),
    ...(value['status'] === 'UNKNOWN' ? named('providerStatus', value['providerStatus']) : []),
    ...formatPart(value['part']),
  ],
  mo: (value) => [
    ...named('from', value['sender']),
    ...named('to', value['recipient']),
    `text=${quote(value['text'])}`,
    ...named('optOut', value['optOut']),
    ...formatPart(value['part']),
  ],
  'dead-letter': (value, personalData) => [
    quoteIfNeeded(value['reason']),
    ...(Number(value['parts']) > 1 ? [`part=${Number(value['part']) + 1}/${Number(value['parts'])}`] : []),
    `detail=${quote(value['detail'])}`,
    `body=${quote(personalData === 'plain' ? decodeBody(String(value['body'])) : value['body'])}`,
  ],
}

/** The characters of a body that a line shows. `--json` has all of it. */
const MAX_BODY_CHARACTERS = 300

/** Shows the Base64 of a body as text if it is UTF-8, else as hexadecimal digits. */
function decodeBody(base64: string): string {
  const bytes = Buffer.from(base64, 'base64')
  let text: string
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    text = bytes.toString('hex')
  }
  return text.length <= MAX_BODY_CHARACTERS ? text : `${text.slice(0, MAX_BODY_CHARACTERS).toWellFormed()}…`
}

function formatPart(part: unknown): string[] {
  if (typeof part !== 'object' || part === null) return []
  const { number, total } = part as Fields
  return [`part=${Number(number)}/${Number(total)}`]
}

const named = (name: string, value: unknown): string[] =>
  value === null || value === undefined ? [] : [`${name}=${quoteIfNeeded(value)}`]

export const quoteIfNeeded = (value: unknown): string => {
  const text = toText(value)
  return /^[\w+*.:/@()-]+$/.test(text) ? text : quote(text)
}

const quote = (value: unknown): string => escapeControls(JSON.stringify(toText(value)))

const toText = (value: unknown): string =>
  typeof value === 'string' ? value : value === undefined ? '' : JSON.stringify(value)

/** The latest time that a Date can hold, in milliseconds. */
const MAX_DATE_MS = 8.64e15

export const formatTime = (time: number): string =>
  Math.abs(time) <= MAX_DATE_MS ? new Date(time).toISOString() : `${time} ms`

const maskFields = (value: Fields): Fields => mapValues(value, (field, name) => maskField(field, name))

function maskField(field: unknown, name: string): unknown {
  const { number, sentence } = personalDataMask('masked')
  if (PUBLIC_FIELDS.has(name)) return toPlain(field)
  if (NUMBER_FIELDS.has(name) && typeof field === 'string') return number(field)
  if (SENTENCE_FIELDS.has(name) && typeof field === 'string') return sentence(field)
  if (name === 'request' && isObject(field)) {
    return maskRequest(field)
  }
  return maskValue(field)
}

/** Keeps the facts of a request that identify nobody. */
export const maskRequest = (request: Fields): Fields =>
  mapValues(request, (fact, key) => (PUBLIC_REQUEST_FACTS.has(key) ? fact : maskValue(fact)))

/** Keeps only the shape of a value. */
function maskValue(value: unknown): unknown {
  if (typeof value === 'string') return countCharacters(value)
  if (value instanceof Uint8Array) return `(${value.length} bytes)`
  if (typeof value === 'number') return '(a number)'
  if (Array.isArray(value)) return value.map(maskValue)
  return isObject(value) ? mapValues(value, maskValue) : value
}

const countCharacters = (text: string): string => `(${text.length} characters)`

/** Decoded records are objects of classes that avsc generates, and bytes are buffers. */
function toPlain(value: unknown): unknown {
  if (value instanceof Uint8Array) return Buffer.from(hideSecretsInBytes(value)).toString('base64')
  if (Array.isArray(value)) return value.map(toPlain)
  return isObject(value) ? toPlainObject(value) : value
}

const toPlainObject = (value: Fields): Fields => mapValues(value, toPlain)

const isObject = (value: unknown): value is Fields => typeof value === 'object' && value !== null

const mapValues = <T, U>(record: Readonly<Record<string, T>>, map: (value: T, name: string) => U): Record<string, U> =>
  Object.fromEntries(Object.entries(record).map(([name, value]) => [name, map(value, name)]))
