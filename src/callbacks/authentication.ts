/**
 * Who may call a source back. All guards that a source names must hold; which of them failed is for the log only: to
 * the caller a wrong token, a wrong password and a source that does not exist look the same, in time too.
 */
import { hash, randomBytes, timingSafeEqual } from 'node:crypto'
import { ConnectorError } from '../core/errors.js'
import type { Nonce } from '../journal/journal.js'
import { AddressRanges } from './addresses.js'
import { SignatureCheck, type SignatureRejection, type SignedRequest } from './signature.js'

/** `sources.<source>.callback` of the configuration; times in ms. */
export interface CallbackSourceOptions {
  readonly source: string
  readonly provider: string
  readonly token?: string | undefined
  readonly basic?: { readonly username: string; readonly password: string } | undefined
  readonly signingKey?: string | undefined
  /** Needed with `signingKey`. */
  readonly publicUrl?: string | undefined
  readonly signatureMaxAge?: number | undefined
  readonly allowFrom?: readonly string[] | undefined
  readonly open?: boolean | undefined
}

/** Why a request is refused, for the log. */
export type RejectionReason = 'source' | 'address' | 'token' | 'credentials' | 'nonce' | SignatureRejection

/** What is known of a request before its body is read. */
export interface Caller {
  readonly address: string | undefined
  /** '' when the path has none. */
  readonly token: string
  readonly authorization: string | undefined
}

export class Guards {
  readonly #token: Secret
  readonly #basic: Secret | undefined
  readonly #addresses: AddressRanges | undefined
  readonly #signature: SignatureCheck | undefined

  /** @throws ConnectorError CONFIG_INVALID */
  constructor(options: CallbackSourceOptions) {
    const { source, basic, allowFrom, signingKey, publicUrl, signatureMaxAge, open } = options
    const key = `sources.${source}.callback`
    if (!options.token && !basic && !signingKey && !allowFrom && open !== true) {
      throw new ConnectorError(
        'CONFIG_INVALID',
        `${key}: names no guard; set one of token, basic, signingKey, allowFrom, or open: true to let anybody in`,
      )
    }
    if (signingKey && !publicUrl) {
      throw new ConnectorError(
        'CONFIG_INVALID',
        `${key}.publicUrl: needed with signingKey; the signature covers the URL`,
      )
    }
    this.#token = new Secret(options.token ?? '')
    this.#basic = basic && new Secret(`${basic.username}:${basic.password}`)
    this.#addresses = allowFrom && new AddressRanges(allowFrom, `${key}.allowFrom`)
    this.#signature =
      signingKey && publicUrl
        ? new SignatureCheck(source, { key: signingKey, publicUrl, maxAge: signatureMaxAge ?? DEFAULT_MAX_AGE })
        : undefined
  }

  /** Everything but the signature. */
  rejectionReason(caller: Caller): RejectionReason | null {
    // No guard is skipped because another failed: the time taken says nothing.
    const token = this.#token.is(caller.token)
    const basic = this.#basic === undefined || this.#basic.is(credentialsOf(caller.authorization))
    const address = this.#addresses === undefined || this.#addresses.has(caller.address)
    if (!address) return 'address'
    if (!token) return 'token'
    return basic ? null : 'credentials'
  }

  /** @returns the nonce to be written with the entry, undefined where nothing is signed, or the flaw */
  signed(request: SignedRequest, now: number): { readonly nonce?: Nonce; readonly flaw?: SignatureRejection } {
    if (this.#signature === undefined) return {}
    const verdict = this.#signature.verify(request, now)
    return verdict.holds ? { nonce: verdict.nonce } : { flaw: verdict.flaw }
  }
}

/** 96 h: seven retries for three and a half days. */
const DEFAULT_MAX_AGE = 96 * 3_600_000

/** What a request to a source that does not exist is measured by: takes the same time, and never holds. */
export const unknownSourceGuards = (): Guards =>
  new Guards({ source: '', provider: '', token: randomBytes(32).toString('hex') })

/** Compared by digest: in constant time, and without telling its length. */
class Secret {
  readonly #digest: Buffer

  constructor(value: string) {
    this.#digest = hash('sha256', value, 'buffer')
  }

  is(value: string): boolean {
    return timingSafeEqual(hash('sha256', value, 'buffer'), this.#digest)
  }
}

/** Name and password of a Basic Authorization header (RFC 7617); '' for none, which no configured pair equals. */
const credentialsOf = (authorization: string | undefined): string => {
  if (authorization === undefined || !/^basic /i.test(authorization)) return ''
  return Buffer.from(authorization.slice(6).trim(), 'base64').toString('utf8')
}
