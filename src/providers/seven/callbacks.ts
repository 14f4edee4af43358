/** What seven calls us with: GET, form POST or JSON POST, one report or many. */
import type { DecodeSettings, Item } from '../provider.js'
import type { Received } from '../../core/received.js'
import { latin1, type ReadText } from '../wire/charset.js'
import { dead, tooMuch } from '../wire/dead.js'
import { tooMuchShared, type Field } from '../wire/fields.js'
import { formFields } from '../wire/form-fields.js'
import { leftOver, OPEN_ARRAY, OPEN_OBJECT, rowFields } from '../wire/json-items.js'
import { findRows } from '../wire/json-rows.js'
import { open, trimmed, type Opened } from '../wire/open.js'
import { readEvent } from './events.js'
import { columnFields, lineRanges, reportFields } from './lines.js'

const EQUALS = 0x3d

export const decodeCallback = (received: Received, settings: DecodeSettings): Iterable<Item> => {
  const query = formFields(received.facts.query)
  if (received.body.length === 0) return readEvent(query, [], received.body, settings)
  const opened = open(received)
  if ('kind' in opened) return [opened]
  const content = trimmed(opened.bytes)
  if (content[0] === OPEN_OBJECT || content[0] === OPEN_ARRAY) {
    return readJson(opened, received, query, (fields, body) => readEvent(fields, query, body, settings))
  }
  const lines = lineRanges(content)
  if (!isList(content, lines, opened.read)) {
    return readEvent(formFields(latin1(content), opened.read), query, received.body, settings)
  }
  const count = lines.length / 2
  return tooMuchShared(count, query)
    ? [tooMuch(count, received.body)]
    : readLines(content, lines, opened.read, (fields, body) => readEvent(fields, query, body, settings))
}

type Read = (fields: readonly Field[], body: Uint8Array) => Item[]

function* readJson(opened: Opened, received: Received, query: readonly Field[], read: Read): Iterable<Item> {
  const found = findRows(opened.bytes)
  const { rows } = found
  if (found.rest === undefined && !rows.some((start, i) => i % 2 === 0 && opened.bytes[start] === OPEN_OBJECT)) {
    yield dead('not-a-report', 'JSON in which there is no object', received.body)
    return
  }
  if (tooMuchShared(rows.length / 2, query)) {
    yield tooMuch(rows.length / 2, received.body)
    return
  }
  for (let i = 0; i < rows.length; i += 2) {
    const body = opened.bytes.subarray(rows[i], rows[i + 1])
    const fields = rowFields(body, opened)
    if (Array.isArray(fields)) yield* read(fields, body)
    else yield fields
  }
  const rest = leftOver(found, opened, received.body)
  if (rest) yield rest
}

function* readLines(content: Uint8Array, lines: readonly number[], text: ReadText, read: Read): Iterable<Item> {
  for (let i = 0; i < lines.length; i += 2) {
    const body = content.subarray(lines[i], lines[i + 1])
    const fields = reportFields(trimmed(body), text)
    if (fields) yield* read(fields, body)
    else yield dead('not-a-report', 'a line that is not an id and a status among lines that are', body)
  }
}

/**
 * A form is one line. Columns say that lines count, and so does a whole report in front of another line, or behind a
 * first line that is no form: a headline, or a report that lacks something.
 */
const isList = (content: Uint8Array, lines: readonly number[], read: ReadText): boolean => {
  const first = content.subarray(lines[0], lines[1])
  if (lines.length <= 2) return columnFields(read(first)) !== undefined
  if (reportFields(first, read) !== undefined) return true
  return !first.includes(EQUALS) && reportFields(content.subarray(lines[2], lines[3]), read) !== undefined
}
