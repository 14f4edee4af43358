/** Reads rows of JSON: of an answer of the queue (`{"results": […]}`), or of a push that came as JSON. */
import type { Received } from '../../core/received.js'
import type { DecodeSettings, Item } from '../provider.js'
import type { DecodedBody } from '../wire/body.js'
import { conflictDeadLetter, deadLetter, sharedFieldsDeadLetter } from '../wire/dead-letter.js'
import { areTooLargeToShare, concatFields, mergeQuery, type Field } from '../wire/fields.js'
import { findRows, readEnvelope, readRows, type FoundRows } from '../wire/json-rows.js'
import { findAccountError, hasItemField, interpretedFields } from './row-kind.js'
import { readRow } from './rows.js'

export const findResultRows = (bytes: Uint8Array): FoundRows => findRows(bytes, 'results')

/** Reads the rows of an answer of the queue. A row that is an error of the account is not an item. */
export function* readPulledRows(
  found: FoundRows,
  decoded: DecodedBody,
  received: Received,
  settings: DecodeSettings,
): Generator<Item, void, undefined> {
  const envelope = readEnvelope(found, decoded, 'results')
  yield* envelope.deadLetters
  yield* readRows(found, decoded, received.body, (fields, body) =>
    findAccountError(fields) === undefined ? [readRow({ fields, rawOnly: envelope.fields, body }, settings)] : [],
  )
}

/** Reads the rows of a push. A push without rows is a dead letter: unlike an empty queue, it is not documented. */
export function* readPushedRows(
  found: FoundRows,
  decoded: DecodedBody,
  received: Received,
  settings: DecodeSettings,
  query: readonly Field[],
): Generator<Item, void, undefined> {
  const { count } = found.rows
  if (count === 0 && found.remainder === undefined) {
    yield deadLetter('not-a-report', 'the list in the body is empty', received.body)
    return
  }
  if (areTooLargeToShare(query, count)) {
    yield sharedFieldsDeadLetter(count, received.body)
    return
  }
  const envelope = readEnvelope(found, decoded, 'results')
  const interpreted = interpretedFields(settings)
  yield* envelope.deadLetters
  yield* readRows(found, decoded, received.body, (rowFields, body) => {
    const { fields, rawOnly, conflict } = mergeQuery(rowFields, query, interpreted)
    if (conflict !== undefined) return [conflictDeadLetter(`${conflict} differs between query and body`, body)]
    if (!hasItemField(fields)) {
      return [deadLetter('not-a-report', 'the row has no field of a receipt or message', body)]
    }
    return [readRow({ fields, rawOnly: concatFields(envelope.fields, rawOnly), body }, settings)]
  })
}
