/**
 * The queries with which the reconciler asks seven again. The base address is https://gateway.seven.io/api, and the key
 * is sent in the header `X-Api-Key`.
 *
 * Attested: seven's OpenAPI file (`msg_id` is "a comma separated list of SMS IDs"); docs.seven.io logbook for the
 * message log, which seven calls journal (days, an offset, and a limit of 1 to 100).
 */
import { isFinal } from '../../core/event.js'
import type { Received } from '../../core/received.js'
import type { ReconcileAccount, ReconcileProtocol, ReconcileInspection, UnsettledMessage } from '../provider.js'
import { decodeBody, trimWhiteSpace, type DecodedBody } from '../wire/body.js'
import { findField, presentValue } from '../wire/fields.js'
import { beginsLikeJson, findRows, readableRows, type FoundRows } from '../wire/json-rows.js'
import { parseInstantIn } from '../wire/times.js'
import { decodeAnswer, findEndpoint, findRefusal, type Endpoint } from './answers.js'
import { TIME_ZONE } from './receipts.js'
import { canonicalStatus, deliveryStatus } from './statuses.js'

/** The largest page of the message log. */
const ROWS_PER_PAGE = 100

const urlOf = (account: ReconcileAccount, path: string, query: string): string =>
  `${account.url.replace(/\/+$/, '')}/${path}?${query}`

const headersOf = (account: ReconcileAccount): Record<string, string> => ({
  'X-Api-Key': account.apiKey,
  accept: 'application/json',
})

export const reconcile: ReconcileProtocol = {
  // No limit is documented. This number keeps the request line below 2 KiB.
  maxIdsPerQuery: 100,

  statusRequest(account, messageIds) {
    const ids = messageIds.map(encodeURIComponent).join(',')
    return { method: 'GET', url: urlOf(account, 'status', `msg_id=${ids}`), headers: headersOf(account) }
  },

  logRequest(account, direction, days, offset) {
    const query = new URLSearchParams({
      date_from: days.from,
      date_to: days.to,
      limit: String(ROWS_PER_PAGE),
      offset: String(offset),
    })
    const url = urlOf(account, `journal/${direction}`, query.toString())
    return { method: 'GET', url, headers: headersOf(account) }
  },

  inspect(answer): ReconcileInspection {
    const decoded = decodeBody(answer)
    if ('kind' in decoded) return { kind: 'not-an-answer', detail: decoded.detail }
    const refusal = findRefusal(answer.facts.status, decoded)
    if (refusal !== undefined) return { kind: 'refused', ...refusal }
    const endpoint = findEndpoint(answer.facts.path)
    if (endpoint === undefined) return { kind: 'not-an-answer', detail: `the answer is to ${answer.facts.path}` }
    if (!beginsLikeJson(trimWhiteSpace(decoded.bytes))) return inspectText(endpoint, answer)
    const found = findRows(decoded.bytes)
    const rows = found.rows.count
    if (rows > 0 && !hasId(found, decoded)) {
      // This may be a refusal in an unknown form, and must not be taken for a page that was read.
      return { kind: 'not-an-answer', detail: `no row in the answer of the ${endpoint} endpoint has an id` }
    }
    // A page that was cut is never the last one: the next query asks for what is missing.
    const isCut = found.remainder?.kind === 'cut' && rows > 0
    const unsettled = endpoint === 'outbound' ? findUnsettled(found, decoded) : []
    return { kind: 'answer', rows, isLastPage: rows < ROWS_PER_PAGE && !isCut, unsettled }
  },
}

const hasId = (found: FoundRows, decoded: DecodedBody): boolean => {
  for (const fields of readableRows(found, decoded)) {
    if (presentValue(findField(fields, 'id')) !== undefined) return true
  }
  return false
}

/** An answer that is not JSON has one status, or is what the decoder turns into a dead letter. */
const inspectText = (endpoint: Endpoint, answer: Received): ReconcileInspection => {
  const [item] = decodeAnswer(endpoint, answer)
  if (item?.kind !== 'dead-letter') return { kind: 'answer', rows: item ? 1 : 0, isLastPage: true, unsettled: [] }
  const { reason, detail } = item
  if (reason === 'ambiguous-answer') return { kind: 'refused', about: 'request', detail }
  return { kind: 'not-an-answer', detail }
}

/** Finds the messages without a final receipt: their `dlr` is null, or an intermediate status. */
const findUnsettled = (found: FoundRows, decoded: DecodedBody): UnsettledMessage[] => {
  const unsettled: UnsettledMessage[] = []
  for (const fields of readableRows(found, decoded)) {
    const messageId = presentValue(findField(fields, 'id'))
    const status = presentValue(findField(fields, 'dlr'))
    if (messageId === undefined) continue
    if (status !== undefined && isFinal(deliveryStatus(canonicalStatus(status)))) continue
    const sentAt = parseInstantIn(TIME_ZONE, presentValue(findField(fields, 'timestamp')))
    unsettled.push({ messageId, sentAt })
  }
  return unsettled
}
