import type { Item, Provider, Received } from '../provider.js'
import { dead, decoderFailed } from '../wire/dead.js'
import { decodeAnswer, endpointOf } from './answers.js'
import { decodeCallback } from './callbacks.js'
import { reconcile } from './reconcile.js'

/** seven.io, formerly sms77. It has no queue that reading empties: it calls back, and can be asked again. */
export const seven: Provider = {
  name: 'seven',
  decode(received, settings) {
    try {
      // Before anything else: a callback for a source named "status" is a callback.
      if (received.via === 'CALLBACK') return decodeCallback(received, settings)
      const endpoint = received.facts.path.startsWith('/callbacks/') ? undefined : endpointOf(received.facts.path)
      if (endpoint !== undefined) return decodeAnswer(endpoint, received)
      return received.via === 'QUERY' ? [unknownAnswer(received)] : decodeCallback(received, settings)
    } catch (error) {
      return [decoderFailed(error, received.body)]
    }
  },
  reconcile,
}

const unknownAnswer = ({ facts, body }: Received): Item =>
  dead('not-a-report', `an answer to ${facts.path}, which is neither /status nor a journal`, body)
