/**
 * Asking seven again. Base address https://gateway.seven.io/api, header `X-Api-Key`; attested: seven's OpenAPI file
 * (`msg_id` is "a comma separated list of SMS IDs") and docs.seven.io logbook (limit 1 to 100, offset, days).
 */
import type { ReconcileAccount, ReconcileProtocol, ReconcileVerdict } from '../provider.js'
import { OPEN_ARRAY } from '../wire/json-items.js'
import { findRows } from '../wire/json-rows.js'
import { open, trimmed } from '../wire/open.js'
import { refusal } from './refusal.js'

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

  journalRequest(account, direction, days, offset) {
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
    // It is kept, and ends as a dead letter that says why it can't be read.
    if ('kind' in opened) return { kind: 'answer', rows: 0, lastPage: true }
    const refused = refusal(answer.facts.status, opened)
    if (refused !== undefined) return { kind: 'refused', detail: refused }
    if (trimmed(opened.bytes)[0] !== OPEN_ARRAY) return { kind: 'answer', rows: 1, lastPage: true }
    const found = findRows(opened.bytes)
    const rows = found.rows.length / 2
    // An answer that was cut is gone on with behind what came of it.
    const cut = found.rest?.kind === 'cut' && rows > 0
    return { kind: 'answer', rows, lastPage: rows < PAGE && !cut }
  },
}
