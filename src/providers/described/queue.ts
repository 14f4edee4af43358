/** Empties a queue as a description says: a GET with the page size, and a JSON answer with a list of items. */
import { deadLetter } from '../wire/dead-letter.js'
import type { FoundRows } from '../wire/json-rows.js'
import { describeMissingRows, inspectQueueAnswer, type ItemCount } from '../wire/queue-answer.js'
import type { DecodedBody } from '../wire/body.js'
import type { Received } from '../../core/received.js'
import type { DeadLetterItem, PullAccount, PullProtocol } from '../provider.js'
import type { QueueDescription } from './description.js'
import { keysOfPath } from './paths.js'

/** The keys that lead to the rows of a page; empty if the page is an array. */
export const keysOfQueue = ({ rows }: QueueDescription): string[] => keysOfPath(rows.slice(0, -'[]'.length))

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
    inspect: (answer) => inspectQueueAnswer(answer, { keys, countItems }),
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

/** An empty object is not an item. If it counted, the queue would look as if there were more in it. */
const countItems = ({ rows }: FoundRows, { bytes }: DecodedBody): ItemCount => {
  let count = 0
  for (const row of rows.slices(bytes)) if (row.byteLength > '{}'.length) count++
  return { rows: count }
}

export const notAPage = (received: Received, keys: readonly string[]): DeadLetterItem =>
  deadLetter('not-a-page', describeMissingRows(received, keys), received.body)
