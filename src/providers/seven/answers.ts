/**
 * Reads seven's answers to the reconciler's queries: of the status endpoint (JSON, or text in its legacy form), and of
 * the message log, which seven calls journal (`/api/journal/outbound` and `/api/journal/inbound`).
 *
 * Attested: docs.seven.io status-reports and logbook, seven's OpenAPI file; the page on delivery reports for the legacy
 * form; seven's PHP client (`Client.php`) for the codes of refusals.
 */
import type { Received } from '../../core/received.js'
import type { DeadLetterItem, Item } from '../provider.js'
import { decodeBody, trimWhiteSpace, type DecodedBody } from '../wire/body.js'
import { readLatin1 } from '../wire/charset.js'
import { deadLetter, repeatedFieldDeadLetter } from '../wire/dead-letter.js'
import { findConflict, findField, presentValue, unambiguousValue, type Field } from '../wire/fields.js'
import { formFields } from '../wire/form-fields.js'
import { beginsLikeJson, findRows, readRows } from '../wire/json-rows.js'
import { readMessage } from './messages.js'
import { readAdditions, readReceipt } from './receipts.js'
import { canonicalStatus, isKnownStatus } from './statuses.js'

/** `outbound` and `inbound` are the two lists of the message log. */
export type Endpoint = 'status' | 'outbound' | 'inbound'

/** @returns the endpoint that a request with this path queried; undefined for any other path */
export const findEndpoint = (path: string): Endpoint | undefined => {
  const match = /\/(?:(status)|journal\/(outbound|inbound))\/?$/.exec(path)
  return (match?.[1] ?? match?.[2]) as Endpoint | undefined
}

export const decodeAnswer = (endpoint: Endpoint, received: Received): Iterable<Item> => {
  const decoded = decodeBody(received)
  if ('kind' in decoded) return [decoded]
  const refusal = findRefusal(received.facts.status, decoded)
  if (refusal !== undefined) return [deadLetter('account-refused', refusal.detail, received.body)]
  const content = trimWhiteSpace(decoded.bytes)
  if (beginsLikeJson(content)) {
    const readItems = ROW_READERS[endpoint]
    return readRows(findRows(decoded.bytes), decoded, received.body, (fields, row) => {
      const item = readItems(fields, row)
      return item === undefined ? [] : [item]
    })
  }
  if (endpoint === 'status') return readStatusText(decoded.readText(content), received)
  return [deadLetter('not-a-report', `the answer of the ${endpoint} message log is not JSON`, received.body)]
}

/** Codes with which seven refuses a request. It sends them with HTTP status 200, as a JSON string or as text. */
const REFUSAL_CODES: ReadonlyMap<string, string> = new Map([
  ['600', 'the request failed'],
  ['900', 'the API key is wrong'],
  ['901', 'the signing hash is wrong'],
  ['902', 'the API key lacks the rights for this request'],
  ['903', 'requests from this IP address are not allowed'],
])

const ACCOUNT_REFUSAL_CODE = /^90[0-3]$/
const MAX_REFUSAL_BYTES = 8

export interface Refusal {
  /** What is refused: every request of the account, or this request. */
  readonly about: 'account' | 'request'
  readonly detail: string
}

/** @returns undefined for an answer that is not a refusal */
export const findRefusal = (status: string | undefined, { bytes }: DecodedBody): Refusal | undefined => {
  const content = trimWhiteSpace(bytes)
  const code = content.length > MAX_REFUSAL_BYTES ? undefined : /^"?([0-9]{3})"?$/.exec(readLatin1(content))?.[1]
  if (code !== undefined) {
    const detail = `seven answered ${code}: ${REFUSAL_CODES.get(code) ?? 'a code that is not documented'}`
    return { about: ACCOUNT_REFUSAL_CODE.test(code) ? 'account' : 'request', detail }
  }
  if (status === undefined || /^2[0-9]{2}$/.test(status)) return undefined
  return { about: refusedByStatus(status), detail: `seven answered with HTTP status ${status}` }
}

/** The 4xx statuses that concern the credentials or the request rate, and not the request itself. */
const ACCOUNT_STATUS = /^(401|402|403|407|408|425|429)$/

/** A redirect and a 5xx do not concern the request either: another one would get the same answer. */
const refusedByStatus = (status: string): Refusal['about'] =>
  /^4/.test(status) && !ACCOUNT_STATUS.test(status) ? 'request' : 'account'

/** The fields that decide what a row means. All others only go into `raw`. */
const INTERPRETED_FIELDS: ReadonlySet<string> = new Set([
  ...['id', 'status', 'status_time', 'to', 'from', 'text', 'timestamp', 'dlr', 'dlr_timestamp', 'reply_to_message_id'],
])

const repeatedField = (fields: readonly Field[], body: Uint8Array): DeadLetterItem | undefined => {
  const name = findConflict(fields, INTERPRETED_FIELDS)
  return name === undefined ? undefined : repeatedFieldDeadLetter(name, body)
}

/** The functions return undefined for a row that says that there is no receipt yet. */
const ROW_READERS: Record<Endpoint, (fields: readonly Field[], body: Uint8Array) => Item | undefined> = {
  /** `id`, `status`, `status_time`. The status is null or empty until there is a receipt. */
  status(fields, body) {
    const id = findField(fields, 'id')
    const status = findField(fields, 'status')
    if (presentValue(id) !== undefined && status !== undefined && presentValue(status) === undefined) return undefined
    const receipt = { id, status, time: findField(fields, 'status_time'), all: fields }
    return repeatedField(fields, body) ?? readReceipt(receipt, body)
  },

  /** A message that was sent. `dlr` is null, empty or absent until there is a receipt. */
  outbound(fields, body) {
    const id = findField(fields, 'id')
    const status = findField(fields, 'dlr')
    if (presentValue(id) !== undefined && presentValue(status) === undefined) return undefined
    const receipt = {
      id,
      status,
      to: findField(fields, 'to'),
      from: findField(fields, 'from'),
      time: findField(fields, 'dlr_timestamp'),
      additions: readAdditions((name) => fields.filter((field) => field.name === name)),
      all: fields,
    }
    return repeatedField(fields, body) ?? readReceipt(receipt, body)
  },

  inbound(fields, body) {
    const message = {
      id: findField(fields, 'id'),
      sender: findField(fields, 'from'),
      recipient: findField(fields, 'to'),
      text: findField(fields, 'text'),
      time: findField(fields, 'timestamp'),
      inReplyTo: findField(fields, 'reply_to_message_id'),
      clientReference: unambiguousValue(fields.filter(({ name }) => name === 'foreign_id')),
      all: fields,
    }
    return repeatedField(fields, body) ?? readMessage(message, body)
  },
}

const STATUS_WORD = /^[A-Za-z_]{1,40}$/

/**
 * Reads the legacy form: a status, a line break, and Unix seconds. It does not name the message, so the request must
 * have named exactly one. With a time, an unknown word is accepted as a status; without a time it might be an error.
 */
const readStatusText = (text: string, { facts, body }: Received): Item[] => {
  // An empty answer means that there is no receipt yet, and has no bytes to keep.
  if (text === '') return []
  const [status = '', time, ...more] = text.split(/\r\n|\r|\n/).map((line) => line.trim())
  const isStatus =
    time === undefined ? isKnownStatus(canonicalStatus(status)) : STATUS_WORD.test(status) && /^[0-9]+$/.test(time)
  if (!isStatus || more.length > 0) {
    return [deadLetter('not-a-report', 'the answer is neither JSON nor a status with a time', body)]
  }
  const ids = formFields(facts.query).filter(({ name }) => name === 'msg_id')
  const id = ids[0]
  if (id === undefined || ids.length > 1 || id.value.includes(',')) {
    const detail = 'the answer has a status without an id, and the request did not name exactly one message'
    return [deadLetter('ambiguous-answer', detail, body)]
  }
  const statusField: Field = { name: 'status', value: status, type: 'string' }
  if (time === undefined) return [readReceipt({ id, status: statusField, all: [id, statusField] }, body)]
  const timeField: Field = { name: 'timestamp', value: time, type: 'string' }
  return [readReceipt({ id, status: statusField, time: timeField, all: [id, statusField, timeField] }, body)]
}
