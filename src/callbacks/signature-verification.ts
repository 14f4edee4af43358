/** Verifies signatures by the scheme of a provider. Comparisons take the same time whatever they compare. */
import { createHmac, createPublicKey, hash, type KeyObject, timingSafeEqual, verify } from 'node:crypto'
import type { Ed25519Scheme, HmacScheme, JwtScheme, SignatureScheme } from '../config/signature-scheme.js'
import { MessageSource, type MessageValues, textsBeside } from './signed-message.js'
import type { HttpHeaders, SignedRequest } from './signed-request.js'

/** What a valid signature says of its request. */
export interface VerifiedSignature {
  /** When the request was signed, in milliseconds since the epoch; undefined if the scheme does not say. */
  readonly signedAt?: number
  /** When the signature ends to be valid, in milliseconds since the epoch; undefined if it does not say. */
  readonly expiresAt?: number
  /** The value that no other request has; undefined if the scheme has none. */
  readonly nonce?: string
}

/** `missing`: a header or parameter of the signature is absent or malformed. */
export type SignatureProblem = 'missing' | 'wrong'

export interface SignatureCheck {
  /**
   * Looks at the headers alone, before the body is read.
   * @returns undefined if they may belong to a valid signature; as much of it as they tell, still unproved
   */
  inspectHeaders(headers: HttpHeaders): SignatureProblem | VerifiedSignature
  verify(request: SignedRequest): SignatureProblem | VerifiedSignature
}

interface Keys {
  /** One key, or two during a rotation. Both are always tried, so the time does not tell which one signed. */
  readonly signingKey: readonly string[]
  readonly publicUrl: string
}

/** @throws Error: a key can't be used with the scheme */
export const signatureCheck = (scheme: SignatureScheme, keys: Keys): SignatureCheck => {
  if (scheme.hmac !== undefined) return new HmacCheck(scheme.hmac, keys)
  if (scheme.ed25519 !== undefined) return new Ed25519Check(scheme.ed25519, keys)
  return new JwtCheck(scheme.jwt!, keys)
}

const MAX_NONCE_LENGTH = 256
/** More than a provider has keys, and few enough that a header of many costs little. */
const MAX_SIGNATURES = 4
const UNIX_SECONDS = /^\d{1,12}$/
const NO_BODY = new Uint8Array(0)

/** What the schemes over a message template have in common. */
abstract class MessageCheck implements SignatureCheck {
  readonly #scheme: HmacScheme | Ed25519Scheme
  readonly #publicUrl: string
  /** The texts beside the nonce in the message. */
  readonly #separators: readonly string[]

  constructor(scheme: HmacScheme | Ed25519Scheme, publicUrl: string) {
    this.#scheme = scheme
    this.#publicUrl = publicUrl
    this.#separators = textsBeside(scheme.message, 'nonce')
  }

  inspectHeaders(headers: HttpHeaders): SignatureProblem | VerifiedSignature {
    const source = new MessageSource({ method: '', target: '', headers, body: NO_BODY }, '')
    const { signature, timestamp, nonce } = this.#scheme
    // What a parameter holds may stand in the body.
    if (signature.header !== undefined) {
      const problem = this.#signatureProblem(source.value(signature))
      if (problem !== undefined) return problem
    }
    const sent = {
      timestamp: timestamp?.header && source.value(timestamp),
      nonce: nonce?.header && source.value(nonce),
    }
    if (timestamp?.header !== undefined && !isTime(sent.timestamp)) return 'missing'
    if (nonce?.header !== undefined && !this.#isNonce(sent.nonce)) return 'missing'
    return toVerified(sent)
  }

  verify(request: SignedRequest): SignatureProblem | VerifiedSignature {
    const source = new MessageSource(request, this.#publicUrl)
    const { signature, timestamp, nonce, message } = this.#scheme
    const sent = source.value(signature)
    const problem = this.#signatureProblem(sent)
    if (problem !== undefined) return problem
    const values = { timestamp: timestamp && source.value(timestamp), nonce: nonce && source.value(nonce) }
    if (timestamp !== undefined && !isTime(values.timestamp)) return 'missing'
    if (nonce !== undefined && !this.#isNonce(values.nonce)) return 'missing'
    if (!source.isBodyCoveredBy(message) && !this.hasHashOfBody(source)) return 'wrong'
    const signed = source.message(message, values, signature.parameter)
    if (source.hasTooManyFields) return 'wrong'
    // All of them are compared, so that the time does not tell which one is right.
    const isValid = this.#signaturesIn(sent!).filter((bytes) => this.isSignatureOf(bytes, signed)).length > 0
    return isValid ? toVerified(values) : 'wrong'
  }

  #signatureProblem(sent: string | undefined): SignatureProblem | undefined {
    if (sent === undefined) return 'missing'
    return this.#signaturesIn(sent).length > 0 ? undefined : 'wrong'
  }

  /** Returns the signatures in a list with commas. Plivo sends one for each key that is valid during a rotation. */
  #signaturesIn(sent: string): Buffer[] {
    const { prefix = '' } = this.#scheme
    return sent
      .split(',', MAX_SIGNATURES)
      .map((each) => each.trim())
      .filter((each) => each.startsWith(prefix))
      .map((each) => this.decodeSignature(each.slice(prefix.length)))
      .filter((bytes) => bytes !== undefined)
  }

  /** @returns undefined for a text that can't be a signature */
  protected abstract decodeSignature(sent: string): Buffer | undefined
  protected abstract isSignatureOf(signature: Buffer, message: Buffer): boolean

  /** Whether the request has the right hash of the body, in a place that the message covers. */
  protected hasHashOfBody(_source: MessageSource): boolean {
    return false
  }

  /**
   * A nonce that contains the text beside it could take over a piece of the body in front of it: the message, and so the signature,
   * would be the same for a shorter body with another nonce.
   */
  #isNonce(sent: string | undefined): boolean {
    if (sent === undefined || sent.length > MAX_NONCE_LENGTH) return false
    return !this.#separators.some((separator) => sent.includes(separator))
  }
}

const isTime = (sent: string | undefined): boolean => sent !== undefined && UNIX_SECONDS.test(sent)

const toVerified = ({ timestamp, nonce }: MessageValues): VerifiedSignature => ({
  ...(timestamp !== undefined && { signedAt: Number(timestamp) * 1_000 }),
  ...(nonce !== undefined && { nonce }),
})

const DIGEST_BYTES = { 'md5-suffix': 16, md5: 16, sha1: 20, sha256: 32, sha512: 64 } as const

class HmacCheck extends MessageCheck {
  readonly #scheme: HmacScheme
  readonly #signingKey: readonly string[]

  constructor(scheme: HmacScheme, { signingKey, publicUrl }: Keys) {
    super(scheme, publicUrl)
    this.#scheme = scheme
    this.#signingKey = signingKey
  }

  protected decodeSignature(sent: string): Buffer | undefined {
    const { algorithm, encoding } = this.#scheme
    const length = DIGEST_BYTES[algorithm]
    const bytes = encoding === 'hex' ? decodeHex(sent) : decodeBase64(sent)
    return bytes?.length === length ? bytes : undefined
  }

  protected isSignatureOf(signature: Buffer, message: Buffer): boolean {
    return this.#signingKey.filter((key) => timingSafeEqual(signature, this.#sign(message, key))).length > 0
  }

  #sign(message: Buffer, key: string): Buffer {
    const { algorithm } = this.#scheme
    if (algorithm === 'md5-suffix') return hash('md5', Buffer.concat([message, Buffer.from(key)]), 'buffer')
    return createHmac(algorithm, key).update(message).digest()
  }

  protected override hasHashOfBody(source: MessageSource): boolean {
    const { bodyHash } = this.#scheme
    if (bodyHash === undefined) return false
    const sent = decodeHex(source.value(bodyHash) ?? '')
    const expected = hash('sha256', source.request.body, 'buffer')
    return sent?.length === expected.length && timingSafeEqual(sent, expected)
  }
}

/** The bytes of DER in front of the 32 bytes of a public key (RFC 8410). */
const ED25519_DER_PREFIX = Buffer.from('302a300506032b6570032100', 'hex')
const ED25519_KEY_BYTES = 32
const ED25519_SIGNATURE_BYTES = 64

class Ed25519Check extends MessageCheck {
  readonly #keys: readonly KeyObject[]

  constructor(scheme: Ed25519Scheme, { signingKey, publicUrl }: Keys) {
    super(scheme, publicUrl)
    this.#keys = signingKey.map(readEd25519Key)
  }

  protected decodeSignature(sent: string): Buffer | undefined {
    const bytes = decodeBase64(sent)
    return bytes?.length === ED25519_SIGNATURE_BYTES ? bytes : undefined
  }

  protected isSignatureOf(signature: Buffer, message: Buffer): boolean {
    return this.#keys.filter((key) => verify(null, message, key, signature)).length > 0
  }
}

/** @throws Error: the text is no public key */
export const readEd25519Key = (text: string): KeyObject => {
  const bytes = decodeBase64(text.trim())
  if (bytes?.length !== ED25519_KEY_BYTES) {
    throw new Error(`a public key of Ed25519 has ${ED25519_KEY_BYTES} bytes, in Base64`)
  }
  return createPublicKey({ key: Buffer.concat([ED25519_DER_PREFIX, bytes]), format: 'der', type: 'spki' })
}

/** The hash of each algorithm. It is no object, because a caller names the algorithm, and every object has a member `constructor`. */
const JWT_HASHES: ReadonlyMap<unknown, string> = new Map([
  ['HS256', 'sha256'],
  ['HS384', 'sha384'],
  ['HS512', 'sha512'],
])
const MAX_JWT_LENGTH = 8_192

/** A JSON Web Token (RFC 7519) with hashes of URL and body, signed with a key that both sides know. */
class JwtCheck implements SignatureCheck {
  readonly #scheme: JwtScheme
  readonly #keys: Keys

  constructor(scheme: JwtScheme, keys: Keys) {
    this.#scheme = scheme
    this.#keys = keys
  }

  inspectHeaders(headers: HttpHeaders): SignatureProblem | VerifiedSignature {
    const { token } = this.#scheme
    if (token.header === undefined) return {}
    const sent = new MessageSource({ method: '', target: '', headers, body: NO_BODY }, '').value(token)
    if (sent === undefined) return 'missing'
    const claims = readJwt(sent)?.claims
    return claims === undefined ? 'wrong' : toVerifiedClaims(claims)
  }

  verify(request: SignedRequest): SignatureProblem | VerifiedSignature {
    const { token, issuer, urlHash, payloadHash } = this.#scheme
    const source = new MessageSource(request, this.#keys.publicUrl)
    const sent = source.value(token)
    if (sent === undefined) return 'missing'
    const jwt = readJwt(sent)
    if (jwt === undefined) return 'wrong'
    const { claims } = jwt
    const isSigned = this.#keys.signingKey.filter((key) => isSignedWith(jwt, key)).length > 0
    const hasUrl = isHexHash(claims[urlHash], Buffer.from(source.url))
    const hasBody =
      request.body.byteLength === 0 && claims[payloadHash] === undefined
        ? true
        : isHexHash(claims[payloadHash], request.body)
    const isIssued = issuer === undefined || claims['iss'] === issuer
    return isSigned && hasUrl && hasBody && isIssued ? toVerifiedClaims(claims) : 'wrong'
  }
}

interface Jwt {
  readonly claims: Readonly<Record<string, unknown>>
  readonly algorithm: string
  readonly signed: string
  readonly signature: Buffer
}

/** @returns undefined for a text that is no token with a keyed hash and a time of expiry */
const readJwt = (token: string): Jwt | undefined => {
  const [header, payload, signature, ...more] = token.length > MAX_JWT_LENGTH ? [] : token.split('.')
  if (header === undefined || payload === undefined || signature === undefined || more.length > 0) return undefined
  const algorithm = JWT_HASHES.get(parseObject(header)?.['alg'])
  const claims = parseObject(payload)
  if (algorithm === undefined || claims === undefined || typeof claims['exp'] !== 'number') return undefined
  return { claims, algorithm, signed: `${header}.${payload}`, signature: Buffer.from(signature, 'base64url') }
}

const parseObject = (part: string): Readonly<Record<string, unknown>> | undefined => {
  try {
    const parsed: unknown = JSON.parse(Buffer.from(part, 'base64url').toString('utf8'))
    return typeof parsed === 'object' && parsed !== null ? (parsed as Record<string, unknown>) : undefined
  } catch {
    return undefined
  }
}

const isSignedWith = ({ algorithm, signed, signature }: Jwt, key: string): boolean => {
  const expected = createHmac(algorithm, key).update(signed).digest()
  return signature.length === expected.length && timingSafeEqual(signature, expected)
}

const isHexHash = (claim: unknown, bytes: Uint8Array): boolean => {
  const sent = typeof claim === 'string' ? decodeHex(claim) : undefined
  const expected = hash('sha256', bytes, 'buffer')
  return sent?.length === expected.length && timingSafeEqual(sent, expected)
}

const toVerifiedClaims = ({ nbf, iat, exp, jti }: Jwt['claims']): VerifiedSignature => {
  const signedAt = typeof nbf === 'number' ? nbf : iat
  return {
    ...(typeof signedAt === 'number' && { signedAt: signedAt * 1_000 }),
    expiresAt: Number(exp) * 1_000,
    ...(typeof jti === 'string' && jti.length <= MAX_NONCE_LENGTH && { nonce: jti }),
  }
}

const decodeHex = (text: string): Buffer | undefined =>
  /^([0-9a-fA-F]{2})+$/.test(text) ? Buffer.from(text, 'hex') : undefined

const decodeBase64 = (text: string): Buffer | undefined =>
  /^[A-Za-z0-9+/]+={0,2}$/.test(text) ? Buffer.from(text, 'base64') : undefined
