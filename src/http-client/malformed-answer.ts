/** Reads answers whose framing is wrong. The journal holds such an answer with all its bytes. */
import type { Received, RequestFacts } from '../core/received.js'
import { joinBytes, ResponseReader } from './response-reader.js'

/** A response among the bytes of a malformed answer. */
export interface ReceivedResponse {
  /** The response as a decoder takes it: with its own status, header fields and body. */
  readonly received: Received
  /** The bytes of the response. If there is only one, these are all bytes of the answer. */
  readonly bytes: Uint8Array
}

export interface MalformedReading {
  /** In their order; none if nothing was found that is like a body. */
  readonly responses: readonly ReceivedResponse[]
  /** The bytes that are in no response. */
  readonly unread: Uint8Array
}

/** Finds the responses in an entry that has the fact `framing-error`. Never throws. */
export const readMalformedAnswer = (answer: Received): MalformedReading => {
  const { body, facts } = answer
  const reader = new ResponseReader(Infinity)
  reader.push(body)
  reader.end(facts.complete !== 'false')
  const { responses, unread } = reader
  if (responses.length === 0) return { responses: [], unread: body }
  return {
    responses: responses.map((response) => {
      const content = joinBytes(response.body)
      const received = { ...answer, body: content, facts: factsOf(response, facts) }
      return { received, bytes: responses.length === 1 ? body : joinBytes([response.head, content]) }
    }),
    unread,
  }
}

const factsOf = (
  { status, headers, isComplete }: ResponseReader['responses'][number],
  { method, path, query }: RequestFacts,
): RequestFacts => ({
  method,
  path,
  query,
  ...responseFacts(status, headers),
  ...(isComplete ? {} : { complete: 'false' }),
})

/** Returns the facts that the journal keeps of a response. */
export const responseFacts = (
  status: number | null,
  { 'content-type': contentType, 'content-encoding': contentEncoding }: Readonly<Record<string, string>>,
): Pick<RequestFacts, 'content-type' | 'content-encoding' | 'status'> => ({
  ...(contentType === undefined ? {} : { 'content-type': contentType }),
  ...(contentEncoding === undefined ? {} : { 'content-encoding': contentEncoding }),
  ...(status === null ? {} : { status: String(status) }),
})
