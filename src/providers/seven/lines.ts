/**
 * Cumulated reports, one a line: `77149843739;DELIVERED`, with a comma, blank or tab as well, or
 * `msg_id=77149843739&status=DELIVERED`. The format is not published; a line is taken only when it leaves no doubt.
 */
import { latin1, type ReadText } from '../wire/charset.js'
import type { Field } from '../wire/fields.js'
import { formFields } from '../wire/form-fields.js'
import { split } from './groups.js'
import { canonicalStatus, isStatus } from './statuses.js'

const MAX_LINE = 1024
/** An id has a digit in it, which the name of a column has not. */
const ID = /^(?=[^0-9]*[0-9])[A-Za-z0-9._-]{1,64}$/

/** The fields of `id<separator>STATUS`; undefined for any other line. Further columns are kept as `[2]`, `[3]`. */
export const columnFields = (line: string): Field[] | undefined => {
  if (line.length > MAX_LINE) return undefined
  const columns = (/[;,|]/.test(line) ? line.split(/[;,|]/) : line.split(/[ \t]+/)).map(unquoted)
  const [id, status, ...more] = columns
  if (id === undefined || status === undefined || !ID.test(id) || !isStatus(canonicalStatus(status))) return undefined
  return [
    { name: 'msg_id', value: id, type: 'string' },
    { name: 'status', value: status, type: 'string' },
    ...more.map((value, i): Field => ({ name: `[${i + 2}]`, value, type: 'string' })),
  ]
}

const unquoted = (column: string): string => {
  const text = column.trim()
  return text.length >= 2 && text.startsWith('"') && text.endsWith('"') ? text.slice(1, -1) : text
}

/** The fields of a line that is a whole report by itself, in either form. */
export const reportFields = (line: Uint8Array, read: ReadText): Field[] | undefined => {
  const columns = columnFields(read(line))
  if (columns) return columns
  const form = latin1(line)
  if (!form.includes('msg_id') || !form.includes('status')) return undefined
  const fields = formFields(form, read)
  const leaves = new Set(fields.map(({ name }) => split(name).leaf))
  const other = fields.some(({ name, value }) => name === 'webhook_event' && value !== 'dlr')
  return leaves.has('msg_id') && leaves.has('status') && !other ? fields : undefined
}

/** Start and end of each line that is not blank, flat, without its line break. */
export const lineRanges = (bytes: Uint8Array): number[] => {
  const ranges: number[] = []
  let start = 0
  for (let at = 0; at <= bytes.length; at++) {
    const byte = bytes[at]
    if (byte !== undefined && byte !== 0x0a && byte !== 0x0d) continue
    if (bytes.subarray(start, at).some((each) => each !== 0x20 && each !== 0x09)) ranges.push(start, at)
    start = at + 1
  }
  return ranges
}
