/**
 * Verifies the signature of callbacks: that it is valid by the scheme of the provider, that it is fresh, and that its nonce was not
 * used before.
 *
 * Behind a proxy the connector sees only path and query, so origin and path prefix come from the configuration (`publicUrl`).
 * Whether a provider signs a retry again, which may come days later, is usually not documented. `signatureMaxAge` is therefore
 * long, and each nonce is remembered for as long.
 */
import type { CallbackConfig } from '../config/types.js'
import type { CallbackRefusalReason } from '../core/observers.js'
import type { Nonce } from '../journal/journal.js'
import {
  type SignatureCheck,
  signatureCheck,
  type SignatureProblem,
  type VerifiedSignature,
} from './signature-verification.js'
import type { HttpHeaders, SignedRequest } from './signed-request.js'

/** `sources.<source>.callback` of a source with a signing key. */
export type SigningConfig = Extract<CallbackConfig, { readonly signingKey: readonly string[] }>

export type SignatureRejection = Extract<CallbackRefusalReason, `signature-${string}`>

/** The nonce of a valid request is to be stored with it, so that it is accepted once. */
export type SignatureResult =
  | { readonly isValid: true; readonly nonce?: Nonce }
  | { readonly isValid: false; readonly reason: SignatureRejection | 'topic' }

/** How far the caller's clock may be ahead. */
const MAX_CLOCK_SKEW_MS = 5 * 60_000

export class SignatureVerifier {
  readonly #source: string
  readonly #maxAgeMs: number
  readonly #check: SignatureCheck

  /** @throws Error: the provider signs nothing, or a key is of the wrong kind, which the configuration has excluded */
  constructor(source: string, { signature, signingKey, publicUrl, signatureMaxAge }: SigningConfig) {
    if (signature === undefined) throw new Error(`the provider of source ${source} signs no callbacks`)
    this.#source = source
    this.#maxAgeMs = signatureMaxAge
    this.#check = signatureCheck(signature, { signingKey, publicUrl })
  }

  /**
   * Checks that the headers are there, well-formed and fresh, which takes no body.
   * @param now milliseconds since the epoch
   * @returns null if the body decides
   */
  rejectionReason(headers: HttpHeaders, now: number): SignatureRejection | null {
    return this.#rejectionOf(this.#check.inspectHeaders(headers), now)
  }

  /** @param now milliseconds since the epoch */
  verify(request: SignedRequest, now: number): SignatureResult {
    const found = this.#check.verify(request)
    const reason = this.#rejectionOf(found, now)
    if (reason !== null || typeof found === 'string') return { isValid: false, reason: reason ?? 'signature-wrong' }
    if (found.nonce === undefined) return { isValid: true }
    // A signature that does not say when it was made is valid until it expires.
    const validUntil = found.signedAt === undefined ? (found.expiresAt ?? now) : found.signedAt
    // The nonce outlives the signature by the skew, in case the connector's clock is set back.
    const expiresAt = validUntil + this.#maxAgeMs + MAX_CLOCK_SKEW_MS
    return { isValid: true, nonce: { key: `${this.#source}\n${found.nonce}`, expiresAt } }
  }

  #rejectionOf(found: SignatureProblem | VerifiedSignature, now: number): SignatureRejection | null {
    if (typeof found === 'string') return `signature-${found}`
    return staleness(found, now, this.#maxAgeMs)
  }
}

/**
 * Returns why a signature does not count by its times; null if it does.
 * @param now milliseconds since the epoch
 */
export const staleness = (
  { signedAt, expiresAt }: Pick<VerifiedSignature, 'signedAt' | 'expiresAt'>,
  now: number,
  maxAgeMs: number,
): SignatureRejection | null => {
  const ageMs = now - (signedAt ?? now)
  if (ageMs > maxAgeMs || now - (expiresAt ?? now) > MAX_CLOCK_SKEW_MS) return 'signature-too-old'
  return -ageMs > MAX_CLOCK_SKEW_MS ? 'signature-from-the-future' : null
}
