/** Rows out of JSON: of a pull answer (`{"results": […]}`) and of a push that came as JSON. */
import type { DecodeSettings, Item } from '../provider.js'
import type { Received } from '../../core/received.js'
import { combine } from '../wire/combine.js'
import { dead, tooMuch } from '../wire/dead.js'
import { joined, tooMuchShared, type Field } from '../wire/fields.js'
import { jsonFields } from '../wire/json-fields.js'
import { leftOver, rowFields } from '../wire/json-items.js'
import { findRows, type Rows } from '../wire/json-rows.js'
import type { Opened } from '../wire/open.js'
import { accountError, isDecisive, isReport, readRow } from './rows.js'

export const findResults = (bytes: Uint8Array): Rows => findRows(bytes, 'results')

/** Rows of the queue's answer. One that is an error of the account is no item. */
export const readPage = (found: Rows, opened: Opened, received: Received, settings: DecodeSettings): Iterable<Item> =>
  readRows(found, opened, received, (fields, also, body) =>
    accountError(fields) === undefined ? readRow({ fields, also, body }, settings) : undefined,
  )

/** Rows of a push. Unlike a queue, nobody calls to say that there is nothing: a list without rows is kept. */
export const readPushed = (
  found: Rows,
  opened: Opened,
  received: Received,
  settings: DecodeSettings,
  query: readonly Field[],
): Iterable<Item> => {
  if (found.rows.length === 0 && found.rest === undefined) {
    return [dead('not-a-report', 'a list in which there is nothing', received.body)]
  }
  if (tooMuchShared(found.rows.length / 2, query)) return [tooMuch(found.rows.length / 2, received.body)]
  return readRows(found, opened, received, (own, envelope, body) => {
    const { fields, also, conflict } = combine(own, query, isDecisive)
    if (conflict !== undefined) {
      return dead('conflicting-fields', `${conflict} differs between query and body; which counts?`, body)
    }
    if (!isReport(fields)) return dead('not-a-report', 'no field of a receipt or of a message is here', body)
    return readRow({ fields, also: joined(envelope, also), body }, settings)
  })
}

/** Lazily: of a large page only one row at a time is taken apart. */
function* readRows(
  found: Rows,
  opened: Opened,
  received: Received,
  read: (fields: readonly Field[], envelope: readonly Field[], body: Uint8Array) => Item | undefined,
): Iterable<Item> {
  const unreadable: Item[] = []
  const envelope = envelopeFields(found, opened, unreadable)
  yield* unreadable
  const { rows } = found
  for (let i = 0; i < rows.length; i += 2) {
    const body = opened.bytes.subarray(rows[i], rows[i + 1])
    const fields = rowFields(body, opened)
    const item = Array.isArray(fields) ? read(fields, envelope, body) : fields
    if (item) yield item
  }
  const rest = leftOver(found, opened, received.body)
  if (rest) yield rest
}

const envelopeFields = (found: Rows, opened: Opened, unreadable: Item[]): Field[] => {
  const fields: Field[] = []
  for (let i = 0; i < found.envelope.length; i += 2) {
    const member = opened.bytes.subarray(found.envelope[i], found.envelope[i + 1])
    const read = jsonFields(`{${opened.read(member)}}`)
    if (Array.isArray(read)) fields.push(...read)
    else unreadable.push(dead(read.reason, `a field beside the rows is not readable: ${read.detail}`, member))
  }
  if (!tooMuchShared(found.rows.length / 2, fields)) return fields
  // The rows are worth more than what stands beside them, which is kept once.
  for (let i = 0; i < found.envelope.length; i += 2) {
    unreadable.push(tooMuch(found.rows.length / 2, opened.bytes.subarray(found.envelope[i], found.envelope[i + 1])))
  }
  return []
}
