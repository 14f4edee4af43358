/** What the connector receives over HTTP, as the journal keeps it and the decoders of the providers read it. */
import type { Via } from './event.js'

/**
 * What the journal keeps about a callback's request, or about the request and the answer of a pull or query, beside the
 * body. A dead letter carries the same facts in its field `request`, under the same names.
 */
export interface RequestFacts {
  /** The method of the request, in upper case: `GET`, `POST`. */
  readonly method: string
  /** The path of the request. The token of a callback is left out. */
  readonly path: string
  /** The query without its question mark, as sent; empty if there was none. Credentials of a pull are left out. */
  readonly query: string
  /** The header of what was received; absent if it had none. */
  readonly 'content-type'?: string
  /** The header of what was received; absent if it had none. The body is kept encoded. */
  readonly 'content-encoding'?: string
  /** The HTTP status of an answer, in decimal digits; absent for callbacks. */
  readonly status?: string
  /** `false` if the connection died, or a limit was reached, before the whole body had arrived; else absent. */
  readonly complete?: 'false'
  /**
   * What is wrong with the framing of an answer, as a clause; absent for an answer whose body is certain. If it is present,
   * the journal holds the whole answer as it arrived, with its status line and header fields, in place of the body.
   */
  readonly 'framing-error'?: string
}

/** One callback, or one answer to a pull or query, as it came off the wire: the unit of custody. */
export interface Received {
  readonly via: Via
  /** When the body was complete or broke off, by the connector's clock, in milliseconds since the epoch. */
  readonly receivedAt: number
  readonly facts: RequestFacts
  /** The raw bytes of the body, neither decompressed nor decoded. */
  readonly body: Uint8Array
}
