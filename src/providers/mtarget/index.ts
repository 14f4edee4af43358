import type { Provider } from '../provider.js'
import { decodeSafely } from '../wire/dead-letter.js'
import { decodePage, isPage, pull } from './pull.js'
import { decodePush } from './push.js'

/**
 * Mtarget (https://developers.mtarget.fr). An answer of the queue is only read as a page. Anything else is read as a push,
 * which may have any form. So is a dead letter of the queue that is no page: it is a row, and a pushed item has the fields of
 * a row.
 */
export const mtarget: Provider = {
  name: 'mtarget',
  decode: (received, settings) =>
    decodeSafely(
      () => (received.via === 'PULL' ? decodePage(received, settings) : decodePush(received, settings)),
      received.body,
    ),
  decodeDeadLetter: (received, settings) =>
    decodeSafely(() => {
      if (received.via !== 'PULL') return decodePush(received, settings)
      if (isPage(received)) return decodePage(received, settings)
      // The body is a row. The query is that of the address of the queue and no field of the row.
      return decodePush({ ...received, facts: { ...received.facts, query: '' } }, settings)
    }, received.body),
  pull,
}
