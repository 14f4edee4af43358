/** What was received over HTTP, before anybody decodes it. */
import type { Via } from './event.js'

/** Facts of a request that we got or an answer that we were given, as journaled. Names are lower case. */
export interface RequestFacts {
  readonly method: string
  /** Without a token that was part of it. */
  readonly path: string
  /** Without the question mark, exactly as sent; '' when there was none. */
  readonly query: string
  readonly 'content-type'?: string
  readonly 'content-encoding'?: string
  /** HTTP status, of answers only. */
  readonly status?: string
  /** 'false' when the connection died, or a limit was reached, before all of the body was here. */
  readonly complete?: 'false'
}

/** One request or answer as it was received: the unit of custody. */
export interface Received {
  readonly via: Via
  readonly receivedAt: number
  readonly facts: RequestFacts
  readonly body: Uint8Array
}
