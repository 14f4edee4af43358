/** A request of an aggregator that was kept in a file: as it was sent over HTTP, or its body alone. */
import type { Received } from '../../core/received.js'

export interface CapturedRequest {
  readonly method: string
  /** Without its question mark. */
  readonly query: string
  readonly contentType?: string | undefined
  readonly body: Uint8Array
}

const REQUEST_LINE = /^([A-Z]+) (\S+) HTTP\/1\.[01]$/
const END_OF_LINE = 0x0a
const CARRIAGE_RETURN = 0x0d

/**
 * Reads a request line, header fields, a blank line and a body, with line breaks of either kind. Bytes that do not begin with a
 * request line are a body.
 */
export function parseCapturedRequest(bytes: Uint8Array): CapturedRequest {
  const [requestLine = '', afterRequestLine] = readLine(bytes, 0)
  const [, method, target = ''] = REQUEST_LINE.exec(requestLine) ?? []
  if (method === undefined) return { method: 'POST', query: '', contentType: guessContentType(bytes), body: bytes }
  let contentType: string | undefined
  let at = afterRequestLine
  while (at < bytes.length) {
    const [line, next] = readLine(bytes, at)
    at = next
    if (line === '') break
    const [, value] = /^content-type:\s*(.*?)\s*$/i.exec(line) ?? []
    if (value) contentType = value
  }
  const question = target.indexOf('?')
  const query = question < 0 ? '' : target.slice(question + 1)
  return { method, query, contentType, body: bytes.subarray(at) }
}

/** @returns the line without its line break, and the index behind that */
const readLine = (bytes: Uint8Array, start: number): [line: string, next: number] => {
  const found = bytes.indexOf(END_OF_LINE, start)
  const end = found < 0 ? bytes.length : found
  const isCrlf = end > start && bytes[end - 1] === CARRIAGE_RETURN
  const line = Buffer.from(bytes.subarray(start, isCrlf ? end - 1 : end)).toString('latin1')
  return [line, Math.min(bytes.length, end + 1)]
}

const OPENING_BRACKETS = ['{', '[']

const guessContentType = (body: Uint8Array): string => {
  const [first = ''] = Buffer.from(body.subarray(0, 100)).toString('latin1').trim()
  return OPENING_BRACKETS.includes(first) ? 'application/json' : 'application/x-www-form-urlencoded'
}

/** Returns the request as the connector would have received it. */
export const receivedFromCapture = ({ method, query, contentType, body }: CapturedRequest): Received => ({
  via: 'CALLBACK',
  receivedAt: Date.UTC(2026, 0, 1),
  facts: {
    method,
    path: '/callbacks/captured',
    query,
    ...(contentType !== undefined && { 'content-type': contentType }),
  },
  body,
})
