/** What seven calls us with: GET, form POST or JSON POST, one report or many. */
import type { DecodeSettings, Item, Received } from '../provider.js'
import { latin1, type ReadText } from '../wire/charset.js'
import { dead } from '../wire/dead.js'
import type { Field } from '../wire/fields.js'
import { formFields } from '../wire/form-fields.js'
import { leftOver, OPEN_ARRAY, OPEN_OBJECT, rowFields } from '../wire/json-items.js'
import { findRows } from '../wire/json-rows.js'
import { open, trimmed, type Opened } from '../wire/open.js'
import { readEvent } from './events.js'
import { columnFields, lineRanges, reportFields } from './lines.js'

const EQUALS = 0x3d

export const decodeCallback = (received: Received, settings: DecodeSettings): Item[] => {
  const query = formFields(received.facts.query)
  if (received.body.length === 0) return readEvent(query, [], received.body, settings)
  const opened = open(received)
  if ('kind' in opened) return [opened]
  const content = trimmed(opened.bytes)
  if (content[0] === OPEN_OBJECT || content[0] === OPEN_ARRAY) return readJson(opened, query, received, settings)
  return (
    readLines(content, opened.read, query, settings) ??
    readEvent(formFields(latin1(content), opened.read), query, received.body, settings)
  )
}

const readJson = (opened: Opened, query: readonly Field[], received: Received, settings: DecodeSettings): Item[] => {
  const found = findRows(opened.bytes)
  const { rows } = found
  const items: Item[] = []
  let objects = 0
  for (let i = 0; i < rows.length; i += 2) {
    const body = opened.bytes.subarray(rows[i], rows[i + 1])
    if (body[0] === OPEN_OBJECT) objects++
    const fields = rowFields(body, opened)
    if (Array.isArray(fields)) for (const item of readEvent(fields, query, body, settings)) items.push(item)
    else items.push(fields)
  }
  if (objects === 0 && found.rest === undefined) {
    return [dead('not-a-report', 'JSON in which there is no object', received.body)]
  }
  const rest = leftOver(found, opened, received.body)
  if (rest) items.push(rest)
  return items
}

/** Undefined when the content is no list of lines. */
const readLines = (
  content: Uint8Array,
  read: ReadText,
  query: readonly Field[],
  settings: DecodeSettings,
): Item[] | undefined => {
  const lines = lineRanges(content)
  if (!isList(content, lines, read)) return undefined
  const items: Item[] = []
  for (let i = 0; i < lines.length; i += 2) {
    const body = content.subarray(lines[i], lines[i + 1])
    const fields = reportFields(trimmed(body), read)
    if (fields) for (const item of readEvent(fields, query, body, settings)) items.push(item)
    else items.push(dead('not-a-report', 'a line that is not an id and a status among lines that are', body))
  }
  return items
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
