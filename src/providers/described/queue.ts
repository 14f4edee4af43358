/** Empties a queue as a description says: a GET with the page size, and a JSON answer with a list of items. */
import { decodeBody, trimWhiteSpace } from '../wire/body.js'
import { readLatin1 } from '../wire/charset.js'
import { deadLetter } from '../wire/dead-letter.js'
import { beginsLikeJson, findRows, type FoundRows } from '../wire/json-rows.js'
import type { Received } from '../../core/received.js'
import type { DeadLetterItem, PullAccount, PullInspection, PullProtocol } from '../provider.js'
import type { QueueDescription } from './description.js'

/** The keys that lead to the rows of a page; empty if the page is an array. */
export const keysOfQueue = ({ rows }: QueueDescription): string[] => {
  const path = rows.slice(0, -'[]'.length)
  return path === '' ? [] : path.split('.')
}

/** Whether the rows are a page, even if there are none, or if the page is cut. */
export const isPageOf = (found: FoundRows, keys: readonly string[], bytes: Uint8Array): boolean =>
  keys.length > 0 ? found.hasKey : trimWhiteSpace(bytes)[0] === OPEN_ARRAY

const OPEN_ARRAY = 0x5b
/** The beginning of an answer in which the name of the list of rows is searched for. */
const MAX_SEARCHED_BYTES = 1024 * 1024

export const describedQueue = (description: QueueDescription): PullProtocol => {
  const keys = keysOfQueue(description)
  return {
    request: (account, limit) => {
      const url = new URL(account.url)
      url.searchParams.set(account.limitParameter, String(limit))
      return {
        method: 'GET',
        url: url.href,
        headers: {
          accept: 'application/json',
          // If an answer is cut, every row before the cut can be read. The last block of a compressed answer could not.
          'accept-encoding': 'identity',
          ...authorization(description, account),
        },
      }
    },
    inspect: (answer) => inspectPage(answer, keys),
    emptyPage: keys.reduceRight((inner, key) => `{${JSON.stringify(key)}:${inner}}`, '[]'),
  }
}

const authorization = (
  { credentials }: QueueDescription,
  { username, password }: PullAccount,
): Record<string, string> => {
  const { header, prefix = '' } = credentials
  if (header !== undefined) return { [header.toLowerCase()]: prefix + password }
  return { authorization: `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}` }
}

const inspectPage = (answer: Received, keys: readonly string[]): PullInspection => {
  const { status } = answer.facts
  const decoded = decodeBody(answer)
  if ('kind' in decoded) {
    const detail = `${decoded.detail}; it may hold rows (HTTP status ${status ?? 'unknown'})`
    return { kind: 'not-a-page', detail }
  }
  const { bytes } = decoded
  const found = findRows(bytes, ...keys)
  const isCut = found.remainder?.kind === 'cut' && beginsLikeJson(trimWhiteSpace(bytes))
  if (isPageOf(found, keys, bytes)) return { kind: 'page', rows: countItems(found, bytes), ...(isCut && { isCut }) }
  const detail = describeMissingRows(answer, keys)
  // Without a status nothing says that the answer is an error.
  if (status === undefined || /^2\d\d$/.test(status)) return { kind: 'not-a-page', detail, ...(isCut && { isCut }) }
  const key = keys.at(-1)
  const mayHoldRows =
    isCut || (key !== undefined && readLatin1(bytes.subarray(0, MAX_SEARCHED_BYTES)).includes(JSON.stringify(key)))
  if (!mayHoldRows) return { kind: 'account-error', detail }
  return { kind: 'not-a-page', detail: `${detail}; it is kept, because it may hold rows`, ...(isCut && { isCut }) }
}

/** An empty object is not an item. If it counted, the queue would look as if there were more in it. */
const countItems = ({ rows }: FoundRows, bytes: Uint8Array): number => {
  let count = 0
  for (const row of rows.slices(bytes)) if (row.byteLength > '{}'.length) count++
  return count
}

const describeMissingRows = ({ facts, body }: Received, keys: readonly string[]): string => {
  const { status, 'content-type': contentType = 'no content type' } = facts
  const answer = status === undefined ? 'the answer' : `the answer with HTTP status ${status}`
  const list = keys.length === 0 ? 'is no list' : `has no list ${keys.join('.')}`
  return `${answer} (${body.length} bytes, ${contentType}) ${list}; check that pull.url is the address of the queue`
}

export const notAPage = (received: Received, keys: readonly string[]): DeadLetterItem =>
  deadLetter('not-a-page', describeMissingRows(received, keys), received.body)
