/**
 * Mtarget's queue, which is emptied by reading it.
 *
 * Attested (https://developers.mtarget.fr/api-pulling): the address, the meaning of the parameters, the object with
 * `results`, and that an error is a row of `results`. Second-hand (the public integration takussan): the form body, the
 * parameter names `max` and `serviceid`, and `{"results":[]}` as the answer of an empty queue. Not documented: the HTTP
 * status of errors.
 */
import type { Received } from '../../core/received.js'
import type { DecodeSettings, Item, PullProtocol } from '../provider.js'
import { decodeBody, type DecodedBody } from '../wire/body.js'
import { deadLetter } from '../wire/dead-letter.js'
import { countFlatRows, type FoundRows, readableRows } from '../wire/json-rows.js'
import { describeMissingRows, inspectQueueAnswer, type ItemCount, type QueueFormat } from '../wire/queue-answer.js'
import { findResultRows, readPulledRows } from './pages.js'
import { findAccountError, hasPlainStatus } from './row-kind.js'

export const decodePage = (received: Received, settings: DecodeSettings): Iterable<Item> => {
  const decoded = decodeBody(received)
  if ('kind' in decoded) return [decoded]
  const found = findResultRows(decoded.bytes)
  if (!found.hasKey) return [deadLetter('not-a-page', describeMissingRows(received, FORMAT.keys), received.body)]
  return readPulledRows(found, decoded, received, settings)
}

/** Whether the body is JSON with the list of rows that every page has, even if it is empty or cut. */
export const isPage = (received: Received): boolean => {
  const decoded = decodeBody(received)
  return !('kind' in decoded) && findResultRows(decoded.bytes).hasKey
}

export const pull: PullProtocol = {
  emptyPage: '{"results":[]}',

  request(account, limit) {
    const body = new URLSearchParams({ username: account.username, password: account.password })
    body.set(account.limitParameter, String(limit))
    if (account.serviceId !== undefined) body.set('serviceid', account.serviceId)
    return {
      method: 'POST',
      url: account.url,
      headers: {
        'content-type': 'application/x-www-form-urlencoded',
        accept: 'application/json',
        // If an answer is cut, every row before the cut can be read. The last block of a compressed answer could not.
        'accept-encoding': 'identity',
      },
      body: body.toString(),
    }
  },

  inspect: (answer) => inspectQueueAnswer(answer, FORMAT),
}

const countItems = (found: FoundRows, decoded: DecodedBody): ItemCount => {
  let rows = 0
  let accountError: string | undefined
  for (const fields of readableRows(found, decoded)) {
    // An empty object is not an item. If it counted, the queue would look as if there were more in it.
    if (fields.length === 0) continue
    const error = findAccountError(fields)
    if (error === undefined) rows++
    else accountError ??= error
  }
  return { rows, accountError }
}

const FORMAT: QueueFormat = {
  keys: ['results'],
  countItems,
  countAtOnce: (bytes) => countFlatRows(bytes, 'results', hasPlainStatus),
}
