/** Classifies the answer of a queue that is emptied by reading it: a page, something that may hold rows, or a refusal. */
import type { Received } from '../../core/received.js'
import type { PullInspection } from '../provider.js'
import { decodeBody, trimWhiteSpace, type DecodedBody } from './body.js'
import { readLatin1 } from './charset.js'
import { beginsLikeJson, findRows, type FoundRows } from './json-rows.js'
import { OPEN_ARRAY } from './json-tokenizer.js'

/** What is specific to the queue of one provider. */
export interface QueueFormat {
  /** The keys that lead to the rows of a page; empty if a page is an array. */
  readonly keys: readonly string[]
  /** Counts the items among the rows, and returns the reason that the first account error gives. */
  readonly countItems: (found: FoundRows, decoded: DecodedBody) => ItemCount
  /** Counts the items of a page that needs no closer look; returns undefined for any other. */
  readonly countAtOnce?: (bytes: Uint8Array) => number | undefined
}

export interface ItemCount {
  readonly rows: number
  readonly accountError?: string | undefined
}

export function inspectQueueAnswer(answer: Received, { keys, countItems, countAtOnce }: QueueFormat): PullInspection {
  const { status } = answer.facts
  const decoded = decodeBody(answer)
  if ('kind' in decoded) {
    const detail = `${decoded.detail}; it may hold rows (HTTP status ${status ?? 'unknown'})`
    return { kind: 'not-a-page', detail }
  }
  const { bytes } = decoded
  const rowsAtOnce = countAtOnce?.(bytes)
  if (rowsAtOnce !== undefined) return { kind: 'page', rows: rowsAtOnce }
  const found = findRows(bytes, ...keys)
  const isCut = found.remainder?.kind === 'cut' && beginsLikeJson(trimWhiteSpace(bytes))
  if (hasRowsAt(keys, found, bytes)) {
    const { rows, accountError } = countItems(found, decoded)
    return { kind: 'page', rows, ...(isCut && { isCut }), ...(accountError !== undefined && { accountError }) }
  }
  const detail = describeMissingRows(answer, keys)
  // Without a status nothing says that the answer is an error.
  if (status === undefined || /^2\d\d$/.test(status)) return { kind: 'not-a-page', detail, ...(isCut && { isCut }) }
  // For example a page behind a warning of PHP.
  const mayHoldRows = isCut || namesRows(keys, bytes)
  if (!mayHoldRows) return { kind: 'account-error', detail }
  return { kind: 'not-a-page', detail: `${detail}; it is kept, because it may hold rows`, ...(isCut && { isCut }) }
}

/** Whether a body has the list of rows that every page has, even if the list is empty or cut. */
export const hasRowsAt = (keys: readonly string[], found: FoundRows, bytes: Uint8Array): boolean =>
  keys.length > 0 ? found.hasKey : trimWhiteSpace(bytes)[0] === OPEN_ARRAY

/** HTTP statuses of answers that another address than the queue's gives. */
const WRONG_ADDRESS_STATUS = /^(2..|3..|404|405)$/

/** Says of an answer that it is no page, and what to check. */
export const describeMissingRows = ({ facts, body }: Received, keys: readonly string[]): string => {
  const { status, 'content-type': contentType = 'no content type' } = facts
  const answer = status === undefined ? 'the answer' : `the answer with HTTP status ${status}`
  const list = keys.length === 0 ? 'is no list' : `has no "${keys.join('.')}"`
  const found = `${answer} (${body.length} bytes, ${contentType}) ${list}`
  const mayBeElsewhere = status === undefined || WRONG_ADDRESS_STATUS.test(status)
  return mayBeElsewhere ? `${found}; check that pull.url is the address of the queue` : found
}

/** The beginning of an answer in which the name of the list of rows is searched for. */
const MAX_SEARCHED_BYTES = 1024 * 1024

/** Whether a text that is not the JSON of a page has the name of its list, whatever its character set. */
const namesRows = (keys: readonly string[], bytes: Uint8Array): boolean => {
  const key = keys.at(-1)
  if (key === undefined) return false
  const characters = Array.from(key, (character) => `\\0?${character.replace(/[$()*+./?[\\\]^{|}-]/g, '\\$&')}`)
  return new RegExp(`"${characters.join('')}\\0?"`, 'i').test(readLatin1(bytes.subarray(0, MAX_SEARCHED_BYTES)))
}
