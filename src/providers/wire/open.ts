/** What stands between the wire and the first character: content coding, byte order mark, character set. */
import type { DeadLetterItem } from '../provider.js'
import type { Received } from '../../core/received.js'
import { BOM_LENGTH, hasBom, reader, utf8, type ReadText } from './charset.js'
import { decodeContent, isGzip } from './coding.js'
import { dead } from './dead.js'

export interface Opened {
  /** The body, content coding undone, without a byte order mark. */
  readonly bytes: Uint8Array
  readonly read: ReadText
}

export const open = (received: Received): Opened | DeadLetterItem => {
  const { facts, body } = received
  const encoding = facts['content-encoding']
  // A compressed body says so; one that does not is known by its first bytes, which no text has.
  const decoded = decodeContent(body, encoding ?? (isGzip(body) ? 'gzip' : undefined))
  if ('problem' in decoded) {
    return dead(
      'undecodable',
      `${decoded.problem}; the body is kept as received, content-encoding ${encoding ?? 'not given'}`,
      body,
    )
  }
  const read = reader(facts['content-type'])
  if (read === undefined) {
    return dead('undecodable', `the character set of "${facts['content-type']}" can not be read here`, body)
  }
  // A byte order mark speaks for UTF-8 louder than a header does.
  if (hasBom(decoded.bytes)) return { bytes: decoded.bytes.subarray(BOM_LENGTH), read: utf8 }
  return { bytes: decoded.bytes, read }
}

const isBlank = (byte: number | undefined): boolean => byte === 0x20 || (byte !== undefined && byte >= 9 && byte <= 13)

/** Index of the first byte that is no white space; the length where there is none. */
export const firstByte = (bytes: Uint8Array, from = 0): number => {
  let at = from
  while (at < bytes.length && isBlank(bytes[at])) at++
  return at
}

/** Without white space around it. On bytes, because a trailing 0xa0 may be half of an accented letter. */
export const trimmed = (bytes: Uint8Array): Uint8Array => {
  let end = bytes.length
  const start = firstByte(bytes)
  while (end > start && isBlank(bytes[end - 1])) end--
  return bytes.subarray(start, end)
}
