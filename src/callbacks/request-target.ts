/**
 * The parts of `/callbacks/<source>/<token>?<query>`. All of them are ASCII, because Node's parser refuses a request target
 * with other bytes, as RFC 9112 requires.
 */
export interface Target {
  /** Percent-decoded, or as sent if an escape is malformed. */
  readonly source: string
  /** Percent-decoded, or as sent if an escape is malformed. Empty if the path has no such part. */
  readonly token: string
  /** The query as sent, without its question mark. */
  readonly query: string
  /** Path and query as sent. The caller's signature covers them. */
  readonly asSent: string
}

const TARGET = /^\/callbacks\/([^/?]+)(?:\/([^/?]*))?(?:\?(.*))?$/s

/** @returns undefined if the path is not that of a callback */
export const parseTarget = (url: string): Target | undefined => {
  const asSent = url.startsWith('/') ? url : toOriginForm(url)
  const match = TARGET.exec(asSent)
  if (match === null) return undefined
  const [, source = '', token = '', query = ''] = match
  return { source: decodeSegment(source), token: decodeSegment(token), query, asSent }
}

/** A client may send the absolute form, `GET http://host/path` (RFC 9112, section 3.2.2). */
const toOriginForm = (url: string): string => url.replace(/^https?:\/\/[^/?#]*/i, '')

const decodeSegment = (segment: string): string => {
  if (!segment.includes('%')) return segment
  try {
    return decodeURIComponent(segment)
  } catch {
    return segment
  }
}
