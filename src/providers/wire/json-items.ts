/** Rows that were found in JSON, as fields; and what is left over, as a dead letter. */
import type { DeadLetterItem } from '../provider.js'
import { dead } from './dead.js'
import type { Field } from './fields.js'
import { jsonFields } from './json-fields.js'
import type { Rows } from './json-rows.js'
import type { Opened } from './open.js'

export const OPEN_OBJECT = 0x7b
export const OPEN_ARRAY = 0x5b

/** A row's fields; or the dead letter that it is instead. */
export const rowFields = (body: Uint8Array, opened: Opened): Field[] | DeadLetterItem => {
  if (body[0] !== OPEN_OBJECT) return dead('not-a-row', 'an element of the list is not an object', body)
  const fields = jsonFields(opened.read(body))
  return Array.isArray(fields) ? fields : dead(fields.reason, `not readable: ${fields.detail}`, body)
}

/**
 * What the whole rows leave of a document that is cut, broken, or goes on behind its end.
 *
 * @param received the body as it came, which is the dead letter's where no row can be told apart
 */
export const leftOver = (found: Rows, opened: Opened, received: Uint8Array): DeadLetterItem | undefined => {
  if (found.rest === undefined) return undefined
  const whole = found.rows.length / 2
  const came = whole === 1 ? '1 whole row came before' : `${whole} whole rows came before`
  const body = whole === 0 ? received : opened.bytes.subarray(found.rest.from)
  switch (found.rest.kind) {
    case 'cut':
      return whole > 0 || found.keyFound
        ? dead('cut-page', `the document ends too early; ${came}, whatever was to follow did not arrive`, body)
        : dead('not-json', 'the document begins like JSON and ends too early', body)
    case 'broken':
      return dead('not-json', `from byte ${found.rest.from} on this is not JSON; ${came}`, body)
    case 'trailing':
      return dead('trailing-bytes', `the document goes on behind its end, at byte ${found.rest.from}; ${came}`, body)
  }
}
