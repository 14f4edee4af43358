/**
 * Asking seven again. Base address https://gateway.seven.io/api, header `X-Api-Key`; attested: seven's OpenAPI file
 * (`msg_id` is "a comma separated list of SMS IDs") and docs.seven.io logbook (limit 1 to 100, offset, days).
 */
import { isFinal } from '../../core/event.js'
import type { ReconcileAccount, ReconcileProtocol, ReconcileVerdict, UnsettledMessage } from '../provider.js'
import type { Received } from '../../core/received.js'
import { find, said } from '../wire/fields.js'
import { OPEN_ARRAY, OPEN_OBJECT, rowFields } from '../wire/json-items.js'
import { findRows, type Rows } from '../wire/json-rows.js'
import { open, trimmed, type Opened } from '../wire/open.js'
import { instantIn } from '../wire/times.js'
import { decodeAnswer, endpointOf, type Endpoint } from './answers.js'
import { ZONE } from './receipt.js'
import { refusal } from './refusal.js'
import { canonicalStatus, deliveryStatus } from './statuses.js'

/** The most that the journal gives at once. */
const PAGE = 100

const url = (account: ReconcileAccount, path: string, query: string): string =>
  `${account.url.replace(/\/+$/, '')}/${path}?${query}`

const headers = (account: ReconcileAccount): Record<string, string> => ({
  'X-Api-Key': account.apiKey,
  accept: 'application/json',
})

export const reconcile: ReconcileProtocol = {
  // No limit is documented; this keeps the request line under 2 KiB.
  idsPerQuery: 100,

  statusRequest(account, messageIds) {
    const ids = messageIds.map(encodeURIComponent).join(',')
    return { method: 'GET', url: url(account, 'status', `msg_id=${ids}`), headers: headers(account) }
  },

  logRequest(account, direction, days, offset) {
    const query = new URLSearchParams({
      date_from: days.from,
      date_to: days.to,
      limit: String(PAGE),
      offset: String(offset),
    })
    return { method: 'GET', url: url(account, `journal/${direction}`, query.toString()), headers: headers(account) }
  },

  inspect(answer): ReconcileVerdict {
    const opened = open(answer)
    if ('kind' in opened) return { kind: 'not-an-answer', detail: opened.detail }
    const refused = refusal(answer.facts.status, opened)
    if (refused !== undefined) return { kind: 'refused', ...refused }
    const endpoint = endpointOf(answer.facts.path)
    if (endpoint === undefined) return { kind: 'not-an-answer', detail: `an answer to ${answer.facts.path}` }
    const first = trimmed(opened.bytes)[0]
    if (first !== OPEN_ARRAY && first !== OPEN_OBJECT) return ofText(endpoint, answer)
    const found = findRows(opened.bytes)
    const rows = found.rows.length / 2
    // An answer that was cut is gone on with behind what came of it.
    const cut = found.rest?.kind === 'cut' && rows > 0
    if (rows > 0 && !hasIds(found, opened)) {
      return { kind: 'not-an-answer', detail: `an answer of the ${endpoint} endpoint in which nothing has an id` }
    }
    const unsettled = endpoint === 'outbound' ? unsettledIn(found, opened) : []
    return { kind: 'answer', rows, lastPage: rows < PAGE && !cut, unsettled }
  },
}

/** A refusal in a form that is not known must not be taken for a list that was read. */
const hasIds = ({ rows }: Rows, opened: Opened): boolean => {
  for (let i = 0; i < rows.length; i += 2) {
    const fields = rowFields(opened.bytes.subarray(rows[i], rows[i + 1]), opened)
    if (Array.isArray(fields) && said(find(fields, 'id')) !== undefined) return true
  }
  return false
}

/** An answer that is not JSON: one status, or what the decoder makes a dead letter of. */
const ofText = (endpoint: Endpoint, answer: Received): ReconcileVerdict => {
  const [item] = decodeAnswer(endpoint, answer)
  if (item?.kind !== 'dead-letter') return { kind: 'answer', rows: item ? 1 : 0, lastPage: true, unsettled: [] }
  const { reason, detail } = item
  if (reason === 'ambiguous-answer') return { kind: 'refused', about: 'request', detail }
  return { kind: 'not-an-answer', detail }
}

/** Messages without a report, or with an intermediate one: `dlr` of a row is null, or not the last word. */
const unsettledIn = ({ rows }: Rows, opened: Opened): UnsettledMessage[] => {
  const unsettled: UnsettledMessage[] = []
  for (let i = 0; i < rows.length; i += 2) {
    const fields = rowFields(opened.bytes.subarray(rows[i], rows[i + 1]), opened)
    if (!Array.isArray(fields)) continue
    const messageId = said(find(fields, 'id'))
    const status = said(find(fields, 'dlr'))
    if (messageId === undefined) continue
    if (status !== undefined && isFinal(deliveryStatus(canonicalStatus(status)))) continue
    unsettled.push({ messageId, sentAt: instantIn(ZONE, said(find(fields, 'timestamp'))) })
  }
  return unsettled
}
