import { randomBytes, timingSafeEqual } from 'node:crypto'
import type { CallbackConfig } from '../config/types.js'
import { AddressRanges } from '../http-server/addresses.js'
import { type SignatureRejection, type SignatureResult, SignatureVerifier } from './signature.js'
import type { HttpHeaders, SignedRequest } from './signed-request.js'
import { type SnsConfig, type SnsResult, SnsVerifier, type SnsVerifierDeps } from './sns-verifier.js'

/** Why a request is answered 401. Only the log says so. */
export type RejectionReason = 'address' | 'token' | 'credentials' | 'nonce' | 'topic' | SignatureRejection

/** The key of the configuration that signatures are verified by. */
export type SignatureKey = 'signingKey' | 'topicArns'

/** What authenticates a caller before the body of its request is read. */
export interface Caller {
  /** undefined if it is not known. */
  readonly address: string | undefined
  /** The last part of the path; empty if the path has none. */
  readonly token: string
  readonly authorization: string | undefined
}

/**
 * The guards of one source: everything that a caller must satisfy. To the caller a wrong token, a wrong password and an
 * unknown source look the same, and the answer takes the same time.
 */
export class Guards {
  readonly #token: Secrets
  readonly #basic: Secrets | undefined
  readonly #addresses: AddressRanges | undefined
  readonly #signature: SignatureVerifier | SnsVerifier | undefined
  /** Whether a caller that `rejectionReason` does not reject has proved who it is before its body is read. */
  readonly isProvedByHeaders: boolean
  readonly signatureKey: SignatureKey

  /**
   * @param source the key under `sources`
   * @param callback the source's section `callback`; the configuration has checked that it has a guard or is open
   * @param snsDeps required for a source with topics of Amazon SNS
   */
  constructor(source: string, callback: CallbackConfig, snsDeps?: SnsVerifierDeps) {
    const { token, basic, allowFrom } = callback
    this.#token = new Secrets(token ?? [''])
    this.#basic = basic && new Secrets(basic.password.map((password) => `${basic.username}:${password}`))
    this.#addresses = allowFrom && new AddressRanges(allowFrom)
    this.#signature = signatureVerifier(source, callback, snsDeps)
    this.signatureKey = hasTopics(callback) ? 'topicArns' : 'signingKey'
    this.isProvedByHeaders = token !== undefined || basic !== undefined || allowFrom !== undefined
  }

  /** Checks every guard except the signature, which covers the body. Returns null if all of them hold. */
  rejectionReason(caller: Caller): RejectionReason | null {
    // Every guard is evaluated even if one before it failed, so that the time taken does not depend on the result.
    const hasToken = this.#token.include(caller.token)
    const credentials = credentialsOf(caller.authorization)
    const hasCredentials = this.#basic === undefined || this.#basic.include(credentials)
    const isInRanges = (this.#addresses ?? NO_RANGES).has(caller.address)
    if (this.#addresses !== undefined && !isInRanges) return 'address'
    if (!hasToken) return 'token'
    return hasCredentials ? null : 'credentials'
  }

  /** Checks what can be checked of a signature before the body is read. @returns null if the body decides */
  signatureRejectionReason(headers: HttpHeaders, now: number): SignatureRejection | null {
    return this.#signature?.rejectionReason(headers, now) ?? null
  }

  /**
   * @returns a valid result without a nonce if the source has no signing key; a promise if a certificate may have to be fetched
   */
  verifySignature(request: SignedRequest, now: number): SignatureResult | Promise<SnsResult> {
    return this.#signature?.verify(request, now) ?? { isValid: true }
  }
}

const signatureVerifier = (
  source: string,
  callback: CallbackConfig,
  snsDeps: SnsVerifierDeps | undefined,
): SignatureVerifier | SnsVerifier | undefined => {
  if (callback.signingKey !== undefined) return new SignatureVerifier(source, callback)
  return hasTopics(callback) ? new SnsVerifier(source, callback, snsDeps) : undefined
}

const hasTopics = (callback: CallbackConfig): callback is SnsConfig => callback.topicArns !== undefined

/** Stands in where a source names no ranges, so that every address is compared. It holds an address that no caller has. */
const NO_RANGES = new AddressRanges(['255.255.255.255/32'])

/** Returns guards that reject every request, in the time that the guards of an existing source take. */
export const unknownSourceGuards = (): Guards =>
  new Guards('', { token: [randomBytes(32).toString('hex')], open: false, signatureMaxAge: 0 })

/** The bytes that a comparison covers at least. Nearly every secret is shorter, so the time tells nothing of its length. */
const COMPARED_BYTES = 512

/** One secret, or two during a rotation. Both are always compared, so the time tells neither how many there are nor which it was. */
class Secrets {
  readonly #first: Secret
  readonly #second: Secret

  constructor([first = '', second = first]: readonly string[]) {
    this.#first = new Secret(first)
    this.#second = new Secret(second)
  }

  include(value: string): boolean {
    const isFirst = this.#first.equals(value)
    const isSecond = this.#second.equals(value)
    return isFirst || isSecond
  }
}

/** A secret that values are compared with, in a time that depends on neither its content nor its length. */
class Secret {
  readonly #bytes: Buffer
  readonly #length: number
  readonly #compared: Buffer

  constructor(secret: string) {
    this.#length = Buffer.byteLength(secret)
    this.#bytes = Buffer.alloc(Math.max(COMPARED_BYTES, this.#length))
    this.#bytes.write(secret)
    this.#compared = Buffer.alloc(this.#bytes.length)
  }

  equals(value: string): boolean {
    this.#compared.fill(0)
    this.#compared.write(value)
    const hasSameBytes = timingSafeEqual(this.#compared, this.#bytes)
    // Without the length, a secret and the same secret followed by zero bytes would be equal.
    return Buffer.byteLength(value) === this.#length && hasSameBytes
  }
}

/** Returns `user-id:password` of a Basic Authorization header (RFC 7617), or an empty string, which matches no secret. */
const credentialsOf = (authorization: string | undefined): string => {
  if (authorization === undefined || !/^basic /i.test(authorization)) return ''
  return Buffer.from(authorization.slice('basic '.length).trim(), 'base64').toString('utf8')
}
