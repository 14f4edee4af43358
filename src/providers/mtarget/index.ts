import type { Provider } from '../provider.js'
import { decodeSafely } from '../wire/dead-letter.js'
import { decodePage, pull } from './pull.js'
import { decodePush } from './push.js'

/**
 * Mtarget (https://developers.mtarget.fr). An answer of the queue is only read as a page. Anything else, including a
 * replayed dead letter, is read as a push, which may have any form.
 */
export const mtarget: Provider = {
  name: 'mtarget',
  decode: (received, settings) =>
    decodeSafely(
      () => (received.via === 'PULL' ? decodePage(received, settings) : decodePush(received, settings)),
      received.body,
    ),
  pull,
}
