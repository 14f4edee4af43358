/**
 * Reads seven's callbacks: a GET, a form (also a multipart form) or JSON, with one report or many.
 *
 * Attested: the webhook with `webhook_event`, `webhook_timestamp` and `data`, and the events `dlr` and `sms_mo`
 * (docs.seven.io webhooks); `msg_id` and `status` in the query of the legacy status URL (the page on delivery reports).
 * Seen in seven's own plugins: a form with `data[id]` (seven-io/SuiteCRM), a form without nesting and `foreign_id`
 * (seven-io/playSMS), a message without an envelope (seven-io/seven-zapier). The form of cumulated reports is not
 * published, so every form is accepted in which reports can be told apart without doubt.
 */
import type { Received } from '../../core/received.js'
import type { DecodeSettings, Item } from '../provider.js'
import { decodeBody, trimWhiteSpace, type DecodedBody } from '../wire/body.js'
import { ByteRanges } from '../wire/byte-ranges.js'
import { readLatin1, type ReadText } from '../wire/charset.js'
import { conflictDeadLetter, deadLetter, sharedFieldsDeadLetter } from '../wire/dead-letter.js'
import { areTooLargeToShare, findConflict, findField, mergeQuery, presentValue, type Field } from '../wire/fields.js'
import { formFields, readFormBody } from '../wire/form-fields.js'
import { beginsLikeJson, findRows, readRows } from '../wire/json-rows.js'
import { OPEN_OBJECT } from '../wire/json-tokenizer.js'
import { readMultipart } from '../wire/multipart.js'
import { INTERPRETED_FIELDS, splitName } from './field-groups.js'
import { readMessages } from './messages.js'
import { readReceipts } from './receipts.js'
import { canonicalStatus, isKnownStatus } from './statuses.js'

/** Reads the items in the fields of a body, or of a part of it, whose bytes are `body`. */
type ReadItems = (fields: readonly Field[], body: Uint8Array) => Item[]

export const decodeCallback = (received: Received, settings: DecodeSettings): Iterable<Item> => {
  const query = formFields(received.facts.query)
  const readItems: ReadItems = (fields, body) => readEvent(fields, query, body, settings)
  if (received.body.length === 0) return readItems([], received.body)
  const decoded = decodeBody(received)
  if ('kind' in decoded) return [decoded]
  const content = trimWhiteSpace(decoded.bytes)
  if (beginsLikeJson(content)) return readJson(decoded, received, query, readItems)
  const parts = readMultipart(received, decoded)
  if (parts !== undefined) return 'kind' in parts ? [parts] : readItems(parts, received.body)
  const lines = findLines(content)
  if (!isListOfReports(content, lines, decoded.readText)) {
    const fields = readFormBody(content, decoded.readText, received.body)
    return 'kind' in fields ? [fields] : readItems(fields, received.body)
  }
  if (areTooLargeToShare(query, lines.count)) return [sharedFieldsDeadLetter(lines.count, received.body)]
  return readLines(content, lines, decoded.readText, readItems)
}

const readJson = (
  decoded: DecodedBody,
  { body }: Received,
  query: readonly Field[],
  readItems: ReadItems,
): Iterable<Item> => {
  const found = findRows(decoded.bytes)
  if (found.remainder === undefined && !hasObject(found.rows, decoded.bytes)) {
    return [deadLetter('not-a-report', 'the JSON in the body has no object', body)]
  }
  if (areTooLargeToShare(query, found.rows.count)) return [sharedFieldsDeadLetter(found.rows.count, body)]
  return readRows(found, decoded, body, readItems)
}

const hasObject = (rows: ByteRanges, bytes: Uint8Array): boolean => {
  for (const row of rows.slices(bytes)) if (row[0] === OPEN_OBJECT) return true
  return false
}

function* readLines(
  content: Uint8Array,
  lines: ByteRanges,
  readText: ReadText,
  readItems: ReadItems,
): Generator<Item, void, undefined> {
  for (const line of lines.slices(content)) {
    const fields = reportFields(trimWhiteSpace(line), readText)
    if (fields) yield* readItems(fields, line)
    else yield deadLetter('not-a-report', 'the line has no id and status, and stands among lines that have', line)
  }
}

/** Finds the lines that are not blank, without their line breaks. */
const findLines = (bytes: Uint8Array): ByteRanges => {
  const lines = new ByteRanges()
  let start = 0
  let isBlank = true
  for (let at = 0; at <= bytes.length; at++) {
    const byte = bytes[at]
    if (byte === undefined || byte === 0x0a || byte === 0x0d) {
      if (!isBlank) lines.add(start, at)
      start = at + 1
      isBlank = true
    } else if (byte !== 0x20 && byte !== 0x09) isBlank = false
  }
  return lines
}

const EQUALS = 0x3d

/**
 * Whether the body has one report on each line, instead of being one form. A single line is a report if it has columns.
 * Several lines are reports if the first one is a complete report, or if the second one is and the first one is no
 * form: it is then a headline, or a report that lacks something.
 */
const isListOfReports = (content: Uint8Array, lines: ByteRanges, readText: ReadText): boolean => {
  const first = lines.slice(content, 0)
  if (lines.count <= 1) return columnFields(readText(first)) !== undefined
  if (reportFields(first, readText) !== undefined) return true
  return !first.includes(EQUALS) && reportFields(lines.slice(content, 1), readText) !== undefined
}

/**
 * @returns the fields of a line that is a complete report, either in columns or as a form; undefined for another line
 */
const reportFields = (line: Uint8Array, readText: ReadText): Field[] | undefined => {
  const columns = columnFields(readText(line))
  if (columns) return columns
  const form = readLatin1(line)
  if (!form.includes('msg_id') || !form.includes('status')) return undefined
  const fields = readFormBody(line, readText, line)
  if ('kind' in fields) return undefined
  const leaves = new Set(fields.map(({ name }) => splitName(name).leaf))
  const isOtherEvent = fields.some(({ name, value }) => name === 'webhook_event' && value !== 'dlr')
  return leaves.has('msg_id') && leaves.has('status') && !isOtherEvent ? fields : undefined
}

const MAX_LINE_LENGTH = 1024
/** An id has a digit, and the title of a column has none. */
const ID = /^(?=[^0-9]*[0-9])[A-Za-z0-9._-]{1,64}$/

/**
 * Reads a line such as `77149843739;DELIVERED`, with a semicolon, comma, bar, space or tab between its columns. Columns
 * after the second become the fields `[2]`, `[3]`, ….
 *
 * @returns undefined for a line that does not begin with an id and a known status
 */
const columnFields = (line: string): Field[] | undefined => {
  if (line.length > MAX_LINE_LENGTH) return undefined
  const columns = (/[;,|]/.test(line) ? line.split(/[;,|]/) : line.split(/[ \t]+/)).map(unquote)
  const [id, status, ...more] = columns
  if (id === undefined || status === undefined) return undefined
  if (!ID.test(id) || !isKnownStatus(canonicalStatus(status))) return undefined
  return [
    { name: 'msg_id', value: id, type: 'string' },
    { name: 'status', value: status, type: 'string' },
    ...more.map((value, i): Field => ({ name: `[${i + 2}]`, value, type: 'string' })),
  ]
}

const unquote = (column: string): string => {
  const text = column.trim()
  return text.length >= 2 && text.startsWith('"') && text.endsWith('"') ? text.slice(1, -1) : text
}

const EVENT_FIELD: ReadonlySet<string> = new Set(['webhook_event'])

/**
 * Reads the items in the fields of one callback: of a webhook (with an envelope, nested, or without nesting), of the
 * legacy status URL, or of a message without an envelope.
 *
 * @param bodyFields the fields of the body, or of the part of it whose bytes are `body`
 */
const readEvent = (
  bodyFields: readonly Field[],
  query: readonly Field[],
  body: Uint8Array,
  settings: DecodeSettings,
): Item[] => {
  const { fields, rawOnly, conflict } = mergeQuery(bodyFields, query, INTERPRETED_FIELDS)
  if (conflict !== undefined) return [conflictDeadLetter(`${conflict} differs between query and body`, body)]
  if (findConflict(fields, EVENT_FIELD) !== undefined) {
    return [conflictDeadLetter('webhook_event was sent with several values', body)]
  }
  const event = presentValue(findField(fields, 'webhook_event'))
  if (event !== undefined && settings.ignoreEvents.includes(event)) return []
  switch (event) {
    case 'dlr':
      return readReceipts(fields, rawOnly, body)
    case 'sms_mo':
      return readMessages(fields, rawOnly, body)
    case undefined:
      return readUnnamedEvent(fields, rawOnly, body)
    default: {
      const found = `webhook_event "${event.slice(0, 100)}" is neither dlr nor sms_mo`
      return [deadLetter('unsupported-event', `${found}; list it in ignoreEvents if it is not wanted`, body)]
    }
  }
}

/** Without `webhook_event`, the names of the fields decide what they are. */
const readUnnamedEvent = (fields: readonly Field[], rawOnly: readonly Field[], body: Uint8Array): Item[] => {
  const leaves = new Set(fields.map(({ name }) => (name.includes('[') ? splitName(name).leaf : name)))
  if (leaves.has('msg_id') || leaves.has('status')) return readReceipts(fields, rawOnly, body)
  if (leaves.has('sender') && leaves.has('text')) return readMessages(fields, rawOnly, body)
  const detail =
    'the callback has no msg_id, status or webhook_event, so it is none of the callbacks that seven documents'
  return [deadLetter('not-a-report', detail, body)]
}
