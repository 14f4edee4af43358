/** Prepares a body for reading: content coding, byte order mark, character set, and white space around it. */
import type { Received } from '../../core/received.js'
import type { DeadLetterItem } from '../provider.js'
import { readUtf8, textReader, withoutByteOrderMark, type ReadText } from './charset.js'
import { decodeContent, isGzip } from './content-coding.js'
import { deadLetter } from './dead-letter.js'

export interface DecodedBody {
  /** The body after its content coding was decoded, without a byte order mark. */
  readonly bytes: Uint8Array
  /** Reads text from any part of `bytes` in the character set of the body. */
  readonly readText: ReadText
}

/** @returns the dead letter `undecodable` if the content coding or the character set can't be decoded */
export const decodeBody = ({ facts, body }: Received): DecodedBody | DeadLetterItem => {
  const contentEncoding = facts['content-encoding']
  // Without the header, gzip is recognised by its first two bytes, which no text begins with.
  const decoded = decodeContent(body, contentEncoding ?? (isGzip(body) ? 'gzip' : undefined))
  if ('problem' in decoded) {
    const header = contentEncoding === undefined ? 'absent' : `"${contentEncoding}"`
    const detail = `${decoded.problem}; content-encoding is ${header}, and the body is kept as it was received`
    return deadLetter('undecodable', detail, body)
  }
  const readText = textReader(facts['content-type'])
  if (readText === undefined) {
    const detail = `the connector can't read the character set of content-type "${facts['content-type']}"`
    return deadLetter('undecodable', detail, body)
  }
  // A byte order mark is better evidence of UTF-8 than the header is of another character set.
  const marked = withoutByteOrderMark(decoded.bytes)
  return marked ? { bytes: marked, readText: readUtf8 } : { bytes: decoded.bytes, readText }
}

const isWhiteSpace = (byte: number | undefined): boolean =>
  byte === 0x20 || (byte !== undefined && byte >= 9 && byte <= 13)

/**
 * Removes white space at both ends. It works on bytes, because trimming text would also remove 0xa0, which may be the
 * second half of an accented letter in UTF-8.
 */
export const trimWhiteSpace = (bytes: Uint8Array): Uint8Array => {
  let start = 0
  while (start < bytes.length && isWhiteSpace(bytes[start])) start++
  let end = bytes.length
  while (end > start && isWhiteSpace(bytes[end - 1])) end--
  return bytes.subarray(start, end)
}
