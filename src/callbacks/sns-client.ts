/**
 * Fetches what the messages of Amazon SNS refer to: the certificates of their signatures, and the confirmation of a subscription.
 *
 * Every address was checked before (`sns-message.ts`). A caller that has proved nothing can make the connector fetch from the host
 * of a topic that it knows, so the requests are few: one at a time for each address, a pause after a failure, and a limit a minute.
 */
import { type KeyObject, X509Certificate } from 'node:crypto'
import { DAY_MS, type Clock } from '../core/clock.js'
import { messageOf } from '../core/errors.js'
import type { Log } from '../core/log.js'
import { makeRoom } from '../core/make-room.js'
import { OutageLog } from '../core/outage-log.js'
import { HttpClient } from '../http-client/http-client.js'
import type { ClientTls, ProxySettings } from '../http-client/settings.js'

export interface SnsClientOptions {
  readonly proxy?: ProxySettings | undefined
  readonly tls?: ClientTls | undefined
}

export interface SnsClientDeps {
  readonly clock: Clock
  readonly log: Log
}

/** SNS waits 15 seconds for an answer, and two requests may be needed for it. */
const REQUEST_TIMEOUT_MS = 6_000
const MAX_ANSWER_BYTES = 64 * 1024
/** SNS has changed its certificates about once a year, each time under another address. */
const REFRESH_AFTER_MS = DAY_MS
const MAX_CERTIFICATES = 32
/** An address that failed is not tried again for this time. SNS repeats a message after 20 seconds. */
const RETRY_AFTER_MS = 5_000
const MAX_REQUESTS_PER_MINUTE = 60
const MINUTE_MS = 60_000
/** As many confirmed, and as many failed addresses are remembered. */
const MAX_ADDRESSES = 1_000
const MIN_RSA_BITS = 2_048

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----/g

/** What was fetched can't be used, or nothing could be fetched. Another attempt may succeed. */
export class SnsUnavailable extends Error {
  override readonly name = 'SnsUnavailable'
}

interface CachedCertificate {
  readonly key: KeyObject
  /** Milliseconds since the epoch. */
  readonly validFrom: number
  readonly validTo: number
  /** Monotonic milliseconds. */
  readonly fetchedAt: number
}

export class SnsClient {
  readonly #deps: SnsClientDeps
  readonly #options: SnsClientOptions
  readonly #outage: OutageLog
  #http: HttpClient | undefined
  /** By address. The one that was used the longest time ago comes first. */
  readonly #certificates = new Map<string, CachedCertificate>()
  readonly #pending = new Map<string, Promise<unknown>>()
  /** When addresses failed, in monotonic milliseconds. */
  readonly #failedAt = new Map<string, number>()
  /** The addresses of the subscriptions that were confirmed. */
  readonly #confirmed = new Set<string>()
  #requests = 0
  #minuteBegan = -Infinity

  constructor(options: SnsClientOptions, deps: SnsClientDeps) {
    this.#options = options
    this.#deps = deps
    this.#outage = new OutageLog(
      {
        failureEvent: 'sns-unavailable',
        recoveryEvent: 'sns-available',
        formatFailure: (detail) =>
          `callbacks of Amazon SNS get 503, because what their verification needs can't be fetched: ${detail}`,
        recovery: 'what the verification of callbacks of Amazon SNS needs can be fetched again',
      },
      deps,
    )
  }

  /**
   * Returns the public key of a certificate. One that is in use is fetched again each day, and stays in use if that fails.
   * @param names the certificate must be for one of these
   * @throws SnsUnavailable
   */
  async publicKey(address: string, names: readonly string[]): Promise<KeyObject> {
    const { clock } = this.#deps
    const known = this.#certificates.get(address)
    if (known === undefined || !isValidAt(known, clock.now())) return (await this.#fetchCertificate(address, names)).key
    this.#certificates.delete(address)
    this.#certificates.set(address, known)
    if (clock.monotonic() - known.fetchedAt > REFRESH_AFTER_MS) {
      // The message at hand does not wait for it, and the log has its failure.
      this.#fetchCertificate(address, names).catch(() => undefined)
    }
    return known.key
  }

  /**
   * Confirms a subscription. It is confirmed once, however often SNS repeats its request.
   * @throws SnsUnavailable: it is not confirmed
   */
  async confirm(address: string): Promise<void> {
    if (this.#confirmed.has(address)) return
    await this.#once(address, async () => {
      await this.#get(address)
      makeRoom(this.#confirmed, MAX_ADDRESSES)
      this.#confirmed.add(address)
    })
  }

  /** Ends the requests under way, which fail. */
  async close(): Promise<void> {
    await this.#http?.close()
  }

  #fetchCertificate(address: string, names: readonly string[]): Promise<CachedCertificate> {
    return this.#once(address, async () => {
      const text = await this.#get(address)
      const { clock } = this.#deps
      const certificate = { ...readCertificate(text, names, clock.now()), fetchedAt: clock.monotonic() }
      makeRoom(this.#certificates, MAX_CERTIFICATES)
      this.#certificates.set(address, certificate)
      return certificate
    })
  }

  /** Shares one attempt among those who ask for the same address at the same time. */
  #once<T>(address: string, attempt: () => Promise<T>): Promise<T> {
    const pending = this.#pending.get(address)
    if (pending !== undefined) return pending as Promise<T>
    const started = this.#attempt(address, attempt).finally(() => this.#pending.delete(address))
    this.#pending.set(address, started)
    return started
  }

  async #attempt<T>(address: string, attempt: () => Promise<T>): Promise<T> {
    const { clock } = this.#deps
    const failedAt = this.#failedAt.get(address)
    if (failedAt !== undefined && clock.monotonic() - failedAt < RETRY_AFTER_MS) {
      throw new SnsUnavailable('the last attempt has just failed')
    }
    this.#failedAt.delete(address)
    try {
      const result = await attempt()
      this.#outage.recovered()
      return result
    } catch (error) {
      makeRoom(this.#failedAt, MAX_ADDRESSES)
      this.#failedAt.set(address, clock.monotonic())
      const { origin, pathname } = new URL(address)
      const detail = `${origin}${pathname}: ${messageOf(error)}`
      this.#outage.failed(detail, detail)
      throw error instanceof SnsUnavailable ? error : new SnsUnavailable(detail, { cause: error })
    }
  }

  /** @throws Error of the connection; SnsUnavailable: the answer is none, or there were too many requests */
  async #get(address: string): Promise<string> {
    this.#countRequest()
    this.#http ??= new HttpClient({
      ...this.#options,
      timeoutMs: REQUEST_TIMEOUT_MS,
      maxAnswerBytes: MAX_ANSWER_BYTES,
    })
    const { status, text } = await this.#http.send({ method: 'GET', url: address, headers: {} })
    // Redirects are not followed: they would lead to a host that was not checked.
    if (status < 200 || status > 299) throw new SnsUnavailable(`the answer is ${status}`)
    return text
  }

  #countRequest(): void {
    const now = this.#deps.clock.monotonic()
    if (now - this.#minuteBegan >= MINUTE_MS) {
      this.#minuteBegan = now
      this.#requests = 0
    }
    this.#requests++
    if (this.#requests > MAX_REQUESTS_PER_MINUTE) throw new SnsUnavailable('too many requests within a minute')
  }
}

const isValidAt = ({ validFrom, validTo }: Pick<CachedCertificate, 'validFrom' | 'validTo'>, now: number): boolean =>
  validFrom <= now && now <= validTo

/**
 * Reads the certificate that signs, with those of its issuers if the file has them. The host that it came from has proved itself by
 * TLS. That the file has all issuers up to a known authority is not demanded, because SNS hands out the first one alone.
 * @throws SnsUnavailable: it is no certificate of SNS that is valid now
 */
const readCertificate = (
  pem: string,
  names: readonly string[],
  now: number,
): Pick<CachedCertificate, 'key' | 'validFrom' | 'validTo'> => {
  const chain = (pem.match(CERTIFICATE) ?? []).map((each) => new X509Certificate(each))
  const [certificate] = chain
  if (certificate === undefined) throw new SnsUnavailable('the answer is no certificate')
  if (!names.some((name) => certificate.checkHost(name, { wildcards: false }) !== undefined)) {
    throw new SnsUnavailable(`the certificate is not for ${names.join(' or ')}`)
  }
  const isChain = chain.every((each, index) => {
    const issuer = chain[index + 1]
    return issuer === undefined || (issuer.ca && each.checkIssued(issuer) && each.verify(issuer.publicKey))
  })
  if (!isChain) throw new SnsUnavailable('the certificate was not issued by the one that follows it')
  const validity = { validFrom: Date.parse(certificate.validFrom), validTo: Date.parse(certificate.validTo) }
  if (!isValidAt(validity, now)) throw new SnsUnavailable('the certificate is not valid now')
  const { publicKey: key } = certificate
  if (key.asymmetricKeyType !== 'rsa' || (key.asymmetricKeyDetails?.modulusLength ?? 0) < MIN_RSA_BITS) {
    throw new SnsUnavailable(`the certificate has no RSA key of at least ${MIN_RSA_BITS} bits`)
  }
  return { key, ...validity }
}
