/**
 * `/callbacks/<source>/<token>?<query>` taken apart. It is ASCII: Node's parser refuses a request target with other
 * bytes in it, as RFC 9112 says, before we see it.
 */
export interface Target {
  /** Decoded; as sent where its escapes make no sense. */
  readonly source: string
  /** Likewise; '' when the path has no such part. */
  readonly token: string
  /** Without the question mark, as sent. */
  readonly query: string
  /** Path and query as sent: what a caller signs. */
  readonly asSent: string
}

const PREFIX = '/callbacks/'

/** Undefined for a path that is not a callback's. */
export const parseTarget = (url: string): Target | undefined => {
  const asSent = url.startsWith('/') ? url : originForm(url)
  if (!asSent.startsWith(PREFIX)) return undefined
  const mark = asSent.indexOf('?')
  const end = mark === -1 ? asSent.length : mark
  const slash = asSent.indexOf('/', PREFIX.length)
  const hasToken = slash !== -1 && slash < end
  const sourceEnd = hasToken ? slash : end
  if (sourceEnd === PREFIX.length) return undefined
  const token = hasToken ? asSent.slice(slash + 1, end) : ''
  if (token.includes('/')) return undefined
  return {
    source: decoded(asSent.slice(PREFIX.length, sourceEnd)),
    token: decoded(token),
    query: mark === -1 ? '' : asSent.slice(mark + 1),
    asSent,
  }
}

/** A client may send `GET http://host/path` (RFC 9112, 3.2.2). */
const originForm = (url: string): string => url.replace(/^https?:\/\/[^/?#]*/i, '')

const decoded = (segment: string): string => {
  if (!segment.includes('%')) return segment
  try {
    return decodeURIComponent(segment)
  } catch {
    return segment
  }
}
