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
    decodeSafely(
      () =>
        received.via === 'PULL' && isPage(received) ? decodePage(received, settings) : decodePush(received, settings),
      received.body,
    ),
  pull,
}
