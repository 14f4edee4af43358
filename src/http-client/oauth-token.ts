/** Fetches access tokens with OAuth 2.0 client credentials (RFC 6749, section 4.4), for Kafka and for the schema registry. */
import type { Clock } from '../core/clock.js'
import { messageOf } from '../core/errors.js'
import { parseJsonObject } from '../core/json.js'
import { quote, rememberToken } from '../masking/known-secrets.js'
import { basicAuthorization } from './basic-authorization.js'
import { HttpClient, type HttpTextAnswer } from './http-client.js'
import { ProxyError } from './proxy.js'
import type { ProxySettings } from './settings.js'
import { tlsAdvice } from './tls.js'
import type { ClientTls } from './settings.js'

export interface ClientCredentials {
  readonly tokenEndpoint: string
  readonly clientId: string
  readonly clientSecret: string
  /** The scopes to ask for, separated by spaces. */
  readonly scope?: string
  readonly tokenEndpointTls?: ClientTls
}

export interface TokenSourceOptions {
  readonly credentials: ClientCredentials
  /** The section of the configuration with the credentials, such as `kafka.sasl`; errors name its keys. */
  readonly section: string
  readonly proxy?: ProxySettings | undefined
}

/** A token can't be had. The message names the keys of the configuration to look at. */
export class TokenError extends Error {
  override readonly name = 'TokenError'
  /** Whether the endpoint has answered and refuses these credentials; false if it can't be reached, or fails. */
  readonly isRefusal: boolean

  constructor(message: string, isRefusal: boolean, options?: ErrorOptions) {
    super(message, options)
    this.isRefusal = isRefusal
  }
}

interface Token {
  readonly value: string
  /** In monotonic milliseconds, as the next. */
  readonly renewAt: number
  readonly expiresAt: number
}

/** A token is renewed when its remaining lifetime is shorter than this. */
const RENEWAL_MARGIN_MS = 30_000
const TOKEN_REQUEST_TIMEOUT_MS = 5_000
/** Far more than any token. */
const MAX_ANSWER_BYTES = 1024 * 1024
/** The codes of RFC 6749 have up to 22 characters. */
const MAX_QUOTED_ERROR_CHARACTERS = 100

/** Keeps one token, and renews it before it expires. */
export class TokenSource {
  readonly #options: TokenSourceOptions
  readonly #clock: Clock
  readonly #http: HttpClient
  #token: Token | undefined
  /** The request under way, which all callers wait for. */
  #fetching: Promise<Token> | undefined

  constructor(options: TokenSourceOptions, clock: Clock) {
    const { credentials, proxy } = options
    this.#options = options
    this.#clock = clock
    this.#http = new HttpClient({
      tls: credentials.tokenEndpointTls,
      proxy,
      timeoutMs: TOKEN_REQUEST_TIMEOUT_MS,
      maxAnswerBytes: MAX_ANSWER_BYTES,
    })
  }

  /** Returns a token that has not expired. @throws TokenError */
  async getToken(): Promise<string> {
    const token = this.#token
    if (token !== undefined && this.#clock.monotonic() < token.renewAt) return token.value
    try {
      return (await this.#renew()).value
    } catch (error) {
      // The token is good for another while, in which the endpoint may work again.
      if (token !== undefined && this.#token === token && this.#clock.monotonic() < token.expiresAt) return token.value
      throw error
    }
  }

  /** Forgets a token that a server has refused, so that the next call of `getToken` fetches another one. */
  discard(value: string): void {
    if (this.#token?.value === value) this.#token = undefined
  }

  async close(): Promise<void> {
    await this.#http.close()
  }

  async #renew(): Promise<Token> {
    this.#fetching ??= this.#fetch().finally(() => {
      this.#fetching = undefined
    })
    this.#token = await this.#fetching
    return this.#token
  }

  async #fetch(): Promise<Token> {
    const { tokenEndpoint, clientId, clientSecret, scope } = this.#options.credentials
    const { section } = this.#options
    const requestedAt = this.#clock.monotonic()
    const { status, text } = await this.#request(clientId, clientSecret, scope)
    const fields = parseJsonObject(text) ?? {}
    const value = fields['access_token']
    if (status !== 200 || typeof value !== 'string' || value === '') {
      const code = fields['error']
      const reason = typeof code === 'string' ? ` (${quote(code, MAX_QUOTED_ERROR_CHARACTERS)})` : ''
      const isRefusal = status < 500 && status !== 429
      const keys = status === 200 || status === 404 ? 'tokenEndpoint' : 'clientId, clientSecret and scope'
      const advice = isRefusal ? `; check ${section}.${keys}` : ''
      const message = `the token endpoint ${tokenEndpoint} answered ${status}${reason} without an access_token${advice}`
      throw new TokenError(message, isRefusal)
    }
    rememberToken(value)
    const seconds = Number(fields['expires_in'])
    // A token without a stated lifetime serves the request that it was fetched for.
    const expiresAt = requestedAt + (Number.isFinite(seconds) ? seconds * 1_000 : 0)
    return { value, expiresAt, renewAt: expiresAt - RENEWAL_MARGIN_MS }
  }

  async #request(clientId: string, clientSecret: string, scope: string | undefined): Promise<HttpTextAnswer> {
    const { tokenEndpoint } = this.#options.credentials
    // Section 2.3.1 has both encoded as in a form before they become the credentials of HTTP Basic.
    const authorization = basicAuthorization(encodeURIComponent(clientId), encodeURIComponent(clientSecret))
    const form = new URLSearchParams({ grant_type: 'client_credentials', ...(scope !== undefined && { scope }) })
    try {
      return await this.#http.send({
        method: 'POST',
        url: tokenEndpoint,
        headers: {
          authorization,
          'content-type': 'application/x-www-form-urlencoded',
          accept: 'application/json',
        },
        body: form.toString(),
      })
    } catch (error) {
      throw new TokenError(this.#describeFailure(error), false, { cause: error })
    }
  }

  #describeFailure(error: unknown): string {
    const { section, credentials } = this.#options
    const problem = `no token from ${credentials.tokenEndpoint}: ${quote(messageOf(error))}`
    // The message of the proxy's error says what to do.
    if (error instanceof ProxyError) return problem
    const advice = tlsAdvice(
      error,
      `${section}.tokenEndpointTls`,
      `${section}.tokenEndpoint`,
      credentials.tokenEndpoint,
    )
    return `${problem}; ${advice ?? `check ${section}.tokenEndpoint, and whether it can be reached from here`}`
  }
}
