/**
 * Verifies the signature of seven's webhooks, as documented at https://docs.seven.io/en/rest-api/signing and
 * https://docs.seven.io/en/rest-api/webhooks:
 *
 *     X-Signature = hex(HMAC-SHA256(key, X-Timestamp \n X-Nonce \n METHOD \n URL \n hex(MD5(raw body))))
 *
 * X-Timestamp is in Unix seconds. URL is the complete URL that was called, query included. Behind a proxy the connector
 * sees only path and query, so origin and path prefix come from the configuration (`publicUrl`). The body of a GET is
 * empty. The documents don't say whether a retry, which may come days later, is signed again. `signatureMaxAge` is
 * therefore long, and each nonce is remembered for as long.
 */
import { createHmac, hash, timingSafeEqual } from 'node:crypto'
import type { CallbackConfig } from '../config/types.js'
import type { CallbackRefusalReason } from '../core/observers.js'
import type { Nonce } from '../journal/journal.js'

/** `sources.<source>.callback` of a source with a signing key. */
export type SigningConfig = Extract<CallbackConfig, { readonly signingKey: readonly string[] }>

/** The headers of a signed request. One that the request does not have is undefined. */
export interface SignatureHeaders {
  readonly signature: string | undefined
  readonly timestamp: string | undefined
  readonly nonce: string | undefined
}

/** A request as it was received. */
export interface SignedRequest extends SignatureHeaders {
  readonly method: string
  /** Path and query as sent. */
  readonly target: string
  readonly body: Uint8Array
}

export type SignatureRejection = Extract<CallbackRefusalReason, `signature-${string}`>

/** The nonce of a valid request is to be stored with it, so that it is accepted once. */
export type SignatureResult =
  { readonly isValid: true; readonly nonce?: Nonce } | { readonly isValid: false; readonly reason: SignatureRejection }

/** How far the caller's clock may be ahead. */
const MAX_CLOCK_SKEW_MS = 5 * 60_000
const MAX_NONCE_LENGTH = 256

export class SignatureVerifier {
  readonly #source: string
  readonly #config: SigningConfig

  constructor(source: string, config: SigningConfig) {
    this.#source = source
    this.#config = config
  }

  /**
   * Checks that the headers are there, well-formed and fresh, which takes no body.
   * @param now milliseconds since the epoch
   * @returns null if the body decides
   */
  rejectionReason({ signature, timestamp, nonce }: SignatureHeaders, now: number): SignatureRejection | null {
    if (!signature || !timestamp || !/^\d{1,12}$/.test(timestamp) || !nonce || nonce.length > MAX_NONCE_LENGTH) {
      return 'signature-missing'
    }
    if (!SIGNATURE.test(signature)) return 'signature-wrong'
    const signedAt = Number(timestamp) * 1_000
    if (now - signedAt > this.#config.signatureMaxAge) return 'signature-too-old'
    return signedAt - now > MAX_CLOCK_SKEW_MS ? 'signature-from-the-future' : null
  }

  /** @param now milliseconds since the epoch */
  verify(request: SignedRequest, now: number): SignatureResult {
    const reason = this.rejectionReason(request, now)
    if (reason !== null) return { isValid: false, reason }
    const { signature = '', timestamp = '', nonce = '' } = request
    const { signingKey, publicUrl, signatureMaxAge } = this.#config
    const signed = { ...request, timestamp, nonce, url: publicUrl + request.target }
    // During a rotation there are two keys. Both are compared, so the time does not tell which one signed.
    const matching = signingKey.filter((key) => isHexOf(signature, sign(key, signed)))
    if (matching.length === 0) return { isValid: false, reason: 'signature-wrong' }
    // The nonce outlives the timestamp by the skew, in case the connector's clock is set back.
    const expiresAt = Number(timestamp) * 1_000 + signatureMaxAge + MAX_CLOCK_SKEW_MS
    return { isValid: true, nonce: { key: `${this.#source}\n${nonce}`, expiresAt } }
  }
}

/** HMAC-SHA256 in hexadecimal. */
const SIGNATURE = /^[0-9a-f]{64}$/i

/** @param request its `url` is complete, from the scheme to the query */
export const sign = (
  key: string,
  request: { timestamp: string; nonce: string; method: string; url: string; body: Uint8Array },
): Buffer =>
  createHmac('sha256', key)
    .update(`${request.timestamp}\n${request.nonce}\n${request.method}\n`, 'latin1')
    .update(`${request.url}\n${hash('md5', request.body)}`, 'latin1')
    .digest()

const isHexOf = (hex: string, expected: Buffer): boolean => timingSafeEqual(Buffer.from(hex, 'hex'), expected)
