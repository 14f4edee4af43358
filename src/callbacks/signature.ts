/**
 * The signature that seven puts on its webhooks, by https://docs.seven.io/en/rest-api/signing and
 * https://docs.seven.io/en/rest-api/webhooks:
 *
 *     X-Signature = hex(HMAC-SHA256(key, X-Timestamp \n X-Nonce \n METHOD \n URL \n hex(MD5(raw body))))
 *
 * X-Timestamp is in Unix seconds. The URL is the complete one that was called, with its query; what reaches us behind a
 * proxy is only path and query, so origin and path prefix come from the configuration (`publicUrl`). For a GET the body
 * is empty. The document says nothing on whether a retry, which may come after days, is signed anew: hence a long
 * `signatureMaxAge` and a nonce that is remembered for as long.
 */
import { createHmac, hash, timingSafeEqual } from 'node:crypto'
import type { Nonce } from '../journal/journal.js'

export interface SignatureOptions {
  readonly key: string
  /** Origin and path prefix. */
  readonly publicUrl: string
  /** Milliseconds. */
  readonly maxAge: number
}

/** Headers are undefined where the request has none. */
export interface SignedRequest {
  readonly method: string
  /** Path and query as received. */
  readonly target: string
  readonly body: Uint8Array
  readonly signature: string | undefined
  readonly timestamp: string | undefined
  readonly nonce: string | undefined
}

/** Why a signature does not hold, for the log. */
export type SignatureRejection =
  'signature-missing' | 'signature-wrong' | 'signature-too-old' | 'signature-from-the-future'

export type SignatureVerdict =
  { readonly holds: true; readonly nonce: Nonce } | { readonly holds: false; readonly flaw: SignatureRejection }

/** How far ahead the caller's clock may be, in ms. */
const SKEW = 5 * 60_000
const LONGEST_NONCE = 256

export class SignatureCheck {
  readonly #source: string
  readonly #options: SignatureOptions
  readonly #base: string

  constructor(source: string, options: SignatureOptions) {
    this.#source = source
    this.#options = options
    this.#base = options.publicUrl.replace(/\/+$/, '')
  }

  /** @param now milliseconds since the epoch */
  verify(request: SignedRequest, now: number): SignatureVerdict {
    const { signature, timestamp, nonce } = request
    if (!signature || !timestamp || !/^\d{1,12}$/.test(timestamp) || !nonce || nonce.length > LONGEST_NONCE) {
      return { holds: false, flaw: 'signature-missing' }
    }
    const expected = sign(this.#options.key, { ...request, timestamp, nonce, url: this.#base + request.target })
    if (!sameHex(signature, expected)) return { holds: false, flaw: 'signature-wrong' }
    const signedAt = Number(timestamp) * 1_000
    if (now - signedAt > this.#options.maxAge) return { holds: false, flaw: 'signature-too-old' }
    if (signedAt - now > SKEW) return { holds: false, flaw: 'signature-from-the-future' }
    // As long as the timestamp would be accepted, and a little more should our clock be set back.
    const expiresAt = signedAt + this.#options.maxAge + SKEW
    return { holds: true, nonce: { key: `${this.#source}\n${nonce}`, expiresAt } }
  }
}

/** @param request `url`: complete */
export const sign = (
  key: string,
  request: { timestamp: string; nonce: string; method: string; url: string; body: Uint8Array },
): Buffer =>
  createHmac('sha256', key)
    .update(`${request.timestamp}\n${request.nonce}\n${request.method}\n`, 'latin1')
    .update(`${request.url}\n${hash('md5', request.body)}`, 'latin1')
    .digest()

const sameHex = (hex: string, expected: Buffer): boolean => {
  const given = /^[0-9a-f]{64}$/i.test(hex) ? Buffer.from(hex, 'hex') : undefined
  return given !== undefined && timingSafeEqual(given, expected)
}
