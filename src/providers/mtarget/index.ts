import type { Provider } from '../provider.js'
import { withoutFail } from '../wire/dead.js'
import { pull, decodePage } from './pull.js'
import { decodePush } from './push.js'

/**
 * Mtarget (developers.mtarget.fr). An answer of the queue is read as a page and as nothing else; whatever came another
 * way, a dead letter that is replayed included, in any form of a push.
 */
export const mtarget: Provider = {
  name: 'mtarget',
  decode: (received, settings) =>
    withoutFail(
      () => (received.via === 'PULL' ? decodePage(received, settings) : decodePush(received, settings)),
      received.body,
    ),
  pull,
}
