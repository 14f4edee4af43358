import type { Received } from '../../core/received.js'
import type { DecodeSettings, Item, Provider } from '../provider.js'
import { deadLetter, decodeSafely } from '../wire/dead-letter.js'
import { decodeAnswer, findEndpoint } from './answers.js'
import { decodeCallback } from './callbacks.js'
import { reconcile } from './reconcile.js'

/** seven.io, formerly sms77. It sends callbacks, and its API can be queried again; it has no queue to pull. */
export const seven: Provider = {
  name: 'seven',
  decode: (received, settings) => decodeSafely(() => decode(received, settings), received.body),
  reconcile,
}

const decode = (received: Received, settings: DecodeSettings): Iterable<Item> => {
  const { via, facts, body } = received
  // This comes first, because a source may be named "status", and because a replayed dead letter keeps its path.
  if (via === 'CALLBACK' || facts.path.startsWith('/callbacks/')) return decodeCallback(received, settings)
  const endpoint = findEndpoint(facts.path)
  if (endpoint !== undefined) return decodeAnswer(endpoint, received)
  if (via !== 'QUERY') return decodeCallback(received, settings)
  const detail = `the answer is to ${facts.path}, which is neither the status endpoint nor the message log`
  return [deadLetter('not-a-report', detail, body)]
}
