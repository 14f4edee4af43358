/** A request whose signature is to be verified. */
export type HttpHeaders = Readonly<Record<string, string | string[] | undefined>>

export interface SignedRequest {
  readonly method: string
  /** Path and query as sent. */
  readonly target: string
  /** By names in lower case, as Node.js gives them. */
  readonly headers: HttpHeaders
  readonly body: Uint8Array
}
