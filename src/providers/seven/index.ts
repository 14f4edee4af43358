import type { DecodeSettings, Item, Provider } from '../provider.js'
import type { Received } from '../../core/received.js'
import { dead, withoutFail } from '../wire/dead.js'
import { decodeAnswer, endpointOf } from './answers.js'
import { decodeCallback } from './callbacks.js'
import { reconcile } from './reconcile.js'

/** seven.io, formerly sms77. It has no queue that reading empties: it calls back, and can be asked again. */
export const seven: Provider = {
  name: 'seven',
  decode: (received, settings) => withoutFail(() => decode(received, settings), received.body),
  reconcile,
}

const unknownAnswer = ({ facts, body }: Received): Item =>
  dead('not-a-report', `an answer to ${facts.path}, which is neither /status nor a journal`, body)

const decode = (received: Received, settings: DecodeSettings): Iterable<Item> => {
  const { via, facts } = received
  // Before anything else: a callback for a source named "status" is a callback, and stays one when it is replayed.
  if (via === 'CALLBACK' || facts.path.startsWith('/callbacks/')) return decodeCallback(received, settings)
  const endpoint = endpointOf(facts.path)
  if (endpoint !== undefined) return decodeAnswer(endpoint, received)
  return via === 'QUERY' ? [unknownAnswer(received)] : decodeCallback(received, settings)
}
