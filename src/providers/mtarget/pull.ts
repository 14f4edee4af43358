/**
 * Mtarget's queue, which forgets what it hands out. https://developers.mtarget.fr/api-pulling (attested: address, form
 * body, meaning of the parameters, an error as a row of `results`; the name of the page-size parameter is second-hand).
 */
import type { DecodeSettings, Item, PullProtocol, PullVerdict } from '../provider.js'
import type { Received } from '../../core/received.js'
import { dead } from '../wire/dead.js'
import { rowFields } from '../wire/json-items.js'
import { open } from '../wire/open.js'
import { findResults, readPage } from './pages.js'
import { accountError } from './rows.js'

export const decodePage = (received: Received, settings: DecodeSettings): Iterable<Item> => {
  const opened = open(received)
  if ('kind' in opened) return [opened]
  const found = findResults(opened.bytes)
  if (!found.keyFound) return [dead('not-a-page', notAPage(received), received.body)]
  return readPage(found, opened, received, settings)
}

const notAPage = ({ facts: { status, ...facts }, body }: Received): string =>
  `an answer${status === undefined ? '' : ` with HTTP status ${status}`} of ${body.length} bytes ` +
  `(${facts['content-type'] ?? 'no content type'}) in which there are no "results"` +
  (status === undefined || /^(2..|3..|404|405)$/.test(status) ? '; is the url that of the queue?' : '')

export const pull: PullProtocol = {
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
        // Of an answer that is cut, the rows that came can be read; compressed, the last block could not.
        'accept-encoding': 'identity',
      },
      body: body.toString(),
    }
  },

  inspect(answer): PullVerdict {
    const { status } = answer.facts
    const opened = open(answer)
    if (!('kind' in opened)) {
      const found = findResults(opened.bytes)
      if (found.keyFound) {
        let rows = 0
        let said: string | undefined
        for (let i = 0; i < found.rows.length; i += 2) {
          const fields = rowFields(opened.bytes.subarray(found.rows[i], found.rows[i + 1]), opened)
          // `{}` and `null` in a list are no items: they must not make the queue look as if there were more in it.
          if (!Array.isArray(fields) || fields.length === 0) continue
          const error = accountError(fields)
          if (error === undefined) rows++
          else said ??= error
        }
        return said === undefined ? { kind: 'page', rows } : { kind: 'page', rows, accountError: said }
      }
    }
    const detail = 'kind' in opened ? `${opened.detail} (HTTP status ${status ?? 'unknown'})` : notAPage(answer)
    // Without a status there is nothing that says "error".
    return status === undefined || /^2\d\d$/.test(status)
      ? { kind: 'not-a-page', detail }
      : { kind: 'account-error', detail }
  },
}
