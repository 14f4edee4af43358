/**
 * Mtarget's queue, which is emptied by reading it.
 *
 * Attested (https://developers.mtarget.fr/api-pulling): the address, the meaning of the parameters, the object with
 * `results`, and that an error is a row of `results`. Second-hand (the public integration takussan): the form body, the
 * parameter names `max` and `serviceid`, and `{"results":[]}` as the answer of an empty queue. Not documented: the HTTP
 * status of errors.
 */
import type { Received } from '../../core/received.js'
import type { DecodeSettings, Item, PullProtocol, PullInspection } from '../provider.js'
import { decodeBody, type DecodedBody, trimWhiteSpace } from '../wire/body.js'
import { readLatin1 } from '../wire/charset.js'
import { deadLetter } from '../wire/dead-letter.js'
import { beginsLikeJson, countFlatRows, type FoundRows, readableRows } from '../wire/json-rows.js'
import { findResultRows, readPulledRows } from './pages.js'
import { findAccountError, hasPlainStatus } from './row-kind.js'

export const decodePage = (received: Received, settings: DecodeSettings): Iterable<Item> => {
  const decoded = decodeBody(received)
  if ('kind' in decoded) return [decoded]
  const found = findResultRows(decoded.bytes)
  if (!found.hasKey) return [deadLetter('not-a-page', missingResults(received), received.body)]
  return readPulledRows(found, decoded, received, settings)
}

/** Whether the body is JSON with the list of rows that every page has, even if it is empty or cut. */
export const isPage = (received: Received): boolean => {
  const decoded = decodeBody(received)
  return !('kind' in decoded) && findResultRows(decoded.bytes).hasKey
}

/** The beginning of an answer in which the name of the list of rows is searched for. */
const MAX_SEARCHED_BYTES = 1024 * 1024

/** HTTP statuses of answers that another address than the queue's gives. */
const WRONG_ADDRESS_STATUS = /^(2..|3..|404|405)$/

const missingResults = ({ facts, body }: Received): string => {
  const { status, 'content-type': contentType = 'no content type' } = facts
  const answer = status === undefined ? 'the answer' : `the answer with HTTP status ${status}`
  const found = `${answer} (${body.length} bytes, ${contentType}) has no "results"`
  const mayBeElsewhere = status === undefined || WRONG_ADDRESS_STATUS.test(status)
  return mayBeElsewhere ? `${found}; check that pull.url is the address of the queue` : found
}

/** The name of the list of rows in a text that is not the JSON of a page, whatever its character set. */
const RESULTS_WITHIN = /"\0?r\0?e\0?s\0?u\0?l\0?t\0?s\0?"/i

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

  inspect(answer): PullInspection {
    const { status } = answer.facts
    const decoded = decodeBody(answer)
    if ('kind' in decoded) {
      const detail = `${decoded.detail}; it may hold rows (HTTP status ${status ?? 'unknown'})`
      return { kind: 'not-a-page', detail }
    }
    const { bytes } = decoded
    const receiptsAndMessages = countFlatRows(bytes, 'results', hasPlainStatus)
    if (receiptsAndMessages !== undefined) return { kind: 'page', rows: receiptsAndMessages }
    const found = findResultRows(bytes)
    const isCut = found.remainder?.kind === 'cut' && beginsLikeJson(trimWhiteSpace(bytes))
    if (found.hasKey) {
      const { rows, accountError } = countRows(found, decoded)
      return { kind: 'page', rows, ...(isCut && { isCut }), ...(accountError !== undefined && { accountError }) }
    }
    // For example a page behind a warning of PHP.
    const mayHoldRows = isCut || RESULTS_WITHIN.test(readLatin1(bytes.subarray(0, MAX_SEARCHED_BYTES)))
    const detail = missingResults(answer)
    // Without a status nothing says that the answer is an error.
    if (status === undefined || /^2\d\d$/.test(status)) return { kind: 'not-a-page', detail, ...(isCut && { isCut }) }
    if (!mayHoldRows) return { kind: 'account-error', detail }
    return { kind: 'not-a-page', detail: `${detail}; it is kept, because it may hold rows`, ...(isCut && { isCut }) }
  },
}

const countRows = (found: FoundRows, decoded: DecodedBody): { rows: number; accountError: string | undefined } => {
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
