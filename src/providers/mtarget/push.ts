/**
 * Mtarget's push, which is its default mode. A form POST is second-hand (the public integrations takussan and courier),
 * and so is a query (courier). JSON, GET and multipart forms are accepted as well, because no document rules them out. The
 * fields are those of a row of the queue (`rows.ts`).
 */
import type { Received } from '../../core/received.js'
import type { DecodeSettings, Item } from '../provider.js'
import { decodeBody, trimWhiteSpace } from '../wire/body.js'
import { conflictDeadLetter, deadLetter } from '../wire/dead-letter.js'
import { mergeQuery } from '../wire/fields.js'
import { formFields, readFormBody } from '../wire/form-fields.js'
import { beginsLikeJson } from '../wire/json-rows.js'
import { readMultipart } from '../wire/multipart.js'
import { findResultRows, readPushedRows } from './pages.js'
import { hasItemField, interpretedFields } from './row-kind.js'
import { readRow } from './rows.js'

export const decodePush = (received: Received, settings: DecodeSettings): Iterable<Item> => {
  const decoded = decodeBody(received)
  if ('kind' in decoded) return [decoded]
  const query = formFields(received.facts.query)
  const content = trimWhiteSpace(decoded.bytes)
  if (beginsLikeJson(content)) {
    return readPushedRows(findResultRows(decoded.bytes), decoded, received, settings, query)
  }
  const bodyFields = readMultipart(received, decoded) ?? readFormBody(content, decoded.readText, received.body)
  if ('kind' in bodyFields) return [bodyFields]
  const { fields, rawOnly, conflict } = mergeQuery(bodyFields, query, interpretedFields(settings))
  const { body } = received
  if (conflict !== undefined) return [conflictDeadLetter(`${conflict} differs between query and body`, body)]
  if (!hasItemField(fields)) {
    return [deadLetter('not-a-report', 'neither the query nor the body has a field of a receipt or message', body)]
  }
  return [readRow({ fields, rawOnly, body }, settings)]
}
