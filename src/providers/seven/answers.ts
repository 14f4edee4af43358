/**
 * Answers to what the reconciler asks: `/status` (JSON or the legacy text/plain), `/journal/outbound` and
 * `/journal/inbound`. Attested: docs.seven.io status-reports and logbook, seven's OpenAPI file, the seed for text/plain.
 */
import type { Item } from '../provider.js'
import type { Received } from '../../core/received.js'
import { dead } from '../wire/dead.js'
import { conflicting, find, said, type Field } from '../wire/fields.js'
import { formFields } from '../wire/form-fields.js'
import { leftOver, OPEN_ARRAY, OPEN_OBJECT, rowFields } from '../wire/json-items.js'
import { findRows } from '../wire/json-rows.js'
import { open, trimmed, type Opened } from '../wire/open.js'
import { readMessage } from './message.js'
import { readReceipt } from './receipt.js'
import { refusal } from './refusal.js'
import { canonicalStatus, isStatus } from './statuses.js'

export type Endpoint = 'status' | 'outbound' | 'inbound'

/** Which question was asked, by the path of the request; undefined for any other path. */
export const endpointOf = (path: string): Endpoint | undefined => {
  const match = /\/(?:(status)|journal\/(outbound|inbound))\/?$/.exec(path)
  return (match?.[1] ?? match?.[2]) as Endpoint | undefined
}

export const decodeAnswer = (endpoint: Endpoint, received: Received): Iterable<Item> => {
  const opened = open(received)
  if ('kind' in opened) return [opened]
  const refused = refusal(received.facts.status, opened)
  if (refused !== undefined) return [dead('account-refused', refused.detail, received.body)]
  const content = trimmed(opened.bytes)
  if (content[0] === OPEN_OBJECT || content[0] === OPEN_ARRAY) return readRows(endpoint, opened, received)
  if (endpoint === 'status') return readText(opened.read(content), received)
  return [dead('not-a-report', `an answer of the ${endpoint} journal that is not JSON`, received.body)]
}

function* readRows(endpoint: Endpoint, opened: Opened, received: Received): Iterable<Item> {
  const found = findRows(opened.bytes)
  const { rows } = found
  for (let i = 0; i < rows.length; i += 2) {
    const body = opened.bytes.subarray(rows[i], rows[i + 1])
    const fields = rowFields(body, opened)
    const item = Array.isArray(fields) ? ROW[endpoint](fields, body) : fields
    if (item) yield item
  }
  const rest = leftOver(found, opened, received.body)
  if (rest) yield rest
}

/** Names of a row that decide what it means. */
const DECISIVE: ReadonlySet<string> = new Set([
  ...['id', 'status', 'status_time', 'to', 'from', 'text', 'timestamp', 'dlr', 'dlr_timestamp', 'reply_to_message_id'],
])

const twice = (fields: readonly Field[], body: Uint8Array): Item | undefined => {
  const name = conflicting(fields, DECISIVE)
  return name === undefined
    ? undefined
    : dead('conflicting-fields', `${name} was sent more than once with different values; which counts?`, body)
}

const ROW: Record<Endpoint, (fields: readonly Field[], body: Uint8Array) => Item | undefined> = {
  /** Without a status yet (null, or empty) the row says that there is no report: there is no item in it. */
  status(fields, body) {
    const status = find(fields, 'status')
    const id = find(fields, 'id')
    if (status !== undefined && said(status) === undefined && said(id) !== undefined) return undefined
    return twice(fields, body) ?? readReceipt({ id, status, time: find(fields, 'status_time'), all: fields }, body)
  },

  /** A message that was sent; without `dlr` there is no report yet, and no item in it. */
  outbound(fields, body) {
    const status = find(fields, 'dlr')
    const id = find(fields, 'id')
    if (said(status) === undefined && said(id) !== undefined) return undefined
    const [to, from, time] = ['to', 'from', 'dlr_timestamp'].map((name) => find(fields, name))
    return twice(fields, body) ?? readReceipt({ id, status, to, from, time, all: fields }, body)
  },

  inbound(fields, body) {
    const of = (name: string): Field | undefined => find(fields, name)
    const message = { id: of('id'), sender: of('from'), recipient: of('to'), text: of('text'), all: fields }
    const item = { ...message, time: of('timestamp'), inReplyTo: of('reply_to_message_id') }
    return twice(fields, body) ?? readMessage(item, body)
  },
}

/** A status may be new to us; without a time behind it, any word could be an error. */
const WORD = /^[A-Za-z_]{1,40}$/

/** `STATUS`, a line break, unix seconds. It does not name the message: the question did. */
const readText = (text: string, received: Received): Item[] => {
  // Nothing: no report yet, and nothing that could be kept.
  if (text === '') return []
  const [status = '', time, ...more] = text.split(/\r\n|\r|\n/).map((line) => line.trim())
  const isAnswer = time === undefined ? isStatus(canonicalStatus(status)) : WORD.test(status) && /^[0-9]+$/.test(time)
  if (!isAnswer || more.length > 0) {
    return [dead('not-a-report', 'an answer that is neither JSON nor a status and a time', received.body)]
  }
  const ids = formFields(received.facts.query).filter(({ name }) => name === 'msg_id')
  const id = ids[0]
  if (id === undefined || ids.length > 1 || id.value.includes(',')) {
    return [
      dead('ambiguous-answer', 'a status without an id, to a question that did not name one message', received.body),
    ]
  }
  const fields: Field[] = [id, { name: 'status', value: status, type: 'string' }]
  if (time !== undefined) fields.push({ name: 'timestamp', value: time, type: 'string' })
  return [readReceipt({ id, status: fields[1], time: fields[2], all: fields }, received.body)]
}
