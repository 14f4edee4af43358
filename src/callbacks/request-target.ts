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

const PREFIX = '/callbacks/'

/** @returns undefined if the path is not that of a callback */
export const parseTarget = (url: string): Target | undefined => {
  const asSent = url.startsWith('/') ? url : toOriginForm(url)
  if (!asSent.startsWith(PREFIX)) return undefined
  const questionMark = asSent.indexOf('?')
  const pathEnd = questionMark === -1 ? asSent.length : questionMark
  const slash = asSent.indexOf('/', PREFIX.length)
  const hasToken = slash !== -1 && slash < pathEnd
  const sourceEnd = hasToken ? slash : pathEnd
  if (sourceEnd === PREFIX.length) return undefined
  const token = hasToken ? asSent.slice(slash + 1, pathEnd) : ''
  if (token.includes('/')) return undefined
  return {
    source: decodeSegment(asSent.slice(PREFIX.length, sourceEnd)),
    token: decodeSegment(token),
    query: questionMark === -1 ? '' : asSent.slice(questionMark + 1),
    asSent,
  }
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
