/**
 * Signs tokens for SASL OAUTHBEARER as brokers of Amazon MSK with IAM authentication demand them: a presigned URL of the action
 * `kafka-cluster:Connect`, in base64url. The token equals that of AWS's own signer (`aws-msk-iam-sasl-signer-js`), which test
 * compares; that library is not used here, because it brings three times as many packages for sources of credentials of which
 * AWS's default chain needs none.
 *
 * AWS's packages are loaded when the first token is signed, because hardly any connector needs them.
 */
import { createHash, createHmac, type Hash, type Hmac } from 'node:crypto'
import { Agent, type AgentOptions } from 'node:https'
import type { Duplex } from 'node:stream'
import type { SignatureV4, SignatureV4Init } from '@smithy/signature-v4'
import type { Clock } from '../core/clock.js'
import { messageOf } from '../core/errors.js'
import { openSocket } from '../http-client/open-socket.js'
import { TokenError } from '../http-client/oauth-token.js'
import { proxyFor } from '../http-client/proxy.js'
import type { ProxySettings } from '../http-client/settings.js'
import { rememberToken } from '../masking/known-secrets.js'

type AwsCredentialsProvider = Extract<SignatureV4Init['credentials'], (...args: never[]) => unknown>
type SignedQuery = NonNullable<Awaited<ReturnType<SignatureV4['presign']>>['query']>

/** How long MSK accepts a token. */
const TOKEN_LIFETIME_SECONDS = 900
const USER_AGENT = 'dlr-mo-connector'

export interface MskIamOptions {
  readonly region: string
  /** For requests to AWS STS, which exchanges the token of a service account for credentials. */
  readonly proxy?: ProxySettings | undefined
  /** AWS's default chain if it is left out: environment, profile, web identity, container, instance. */
  readonly credentials?: AwsCredentialsProvider
}

export class MskIamTokenSource {
  readonly #options: MskIamOptions
  readonly #clock: Clock
  /** Keeps the credentials and renews them before they expire. */
  #credentials: AwsCredentialsProvider | undefined

  constructor(options: MskIamOptions, clock: Clock) {
    this.#options = options
    this.#clock = clock
    this.#credentials = options.credentials
  }

  /** Returns a new token. Signing takes no request, except for the credentials. @throws TokenError */
  async getToken(): Promise<string> {
    const { region } = this.#options
    try {
      this.#credentials ??= await this.#defaultChain()
      const token = await signToken(region, this.#credentials, new Date(this.#clock.now()))
      rememberToken(token)
      return token
    } catch (error) {
      const message =
        `no AWS credentials for kafka.sasl (aws-msk-iam, region ${region}): ${messageOf(error)}; provide them by the ` +
        'environment, a profile, a web identity (IRSA) or the container or instance that this runs on'
      throw new TokenError(message, false, { cause: error })
    }
  }

  /** Nothing is held open: AWS's packages close their connections by themselves. */
  close(): Promise<void> {
    return Promise.resolve()
  }

  async #defaultChain(): Promise<AwsCredentialsProvider> {
    const { defaultProvider } = await import('@aws-sdk/credential-provider-node')
    const { region, proxy } = this.#options
    const httpsAgent = proxy?.https === undefined ? undefined : new ProxyingAgent(proxy)
    return defaultProvider({ clientConfig: { region, ...(httpsAgent && { requestHandler: { httpsAgent } }) } })
  }
}

/** @throws Error of AWS's packages if there are no credentials */
const signToken = async (
  region: string,
  provideCredentials: AwsCredentialsProvider,
  signingDate: Date,
): Promise<string> => {
  const { SignatureV4 } = await import('@smithy/signature-v4')
  const credentials = await provideCredentials()
  const hostname = `kafka.${region}.amazonaws.com`
  const signer = new SignatureV4({
    service: 'kafka-cluster',
    region,
    credentials,
    sha256: Sha256,
    applyChecksum: false,
  })
  const secondsLeft = ((credentials.expiration?.getTime() ?? Infinity) - signingDate.getTime()) / 1_000
  const signed = await signer.presign(
    {
      method: 'GET',
      protocol: 'https:',
      hostname,
      path: '/',
      headers: { host: hostname },
      query: { Action: 'kafka-cluster:Connect' },
    },
    { expiresIn: Math.min(secondsLeft, TOKEN_LIFETIME_SECONDS), signingDate },
  )
  const url = `https://${hostname}/?${formatQuery({ ...signed.query, 'User-Agent': USER_AGENT })}`
  return Buffer.from(url).toString('base64url')
}

/** Formats a query as AWS does: sorted by name, with every character escaped that RFC 3986 does not leave unreserved. */
const formatQuery = (query: SignedQuery): string =>
  Object.entries(query)
    .map(([name, value]) => `${escapeUri(name)}=${escapeUri(String(value))}`)
    .sort()
    .join('&')

const escapeUri = (text: string): string =>
  encodeURIComponent(text).replace(/[!'()*]/g, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`)

/** SHA-256 and its HMAC, in the shape that AWS's signer takes. */
class Sha256 {
  readonly #hash: Hash | Hmac

  constructor(key?: string | ArrayBuffer | ArrayBufferView) {
    this.#hash = key === undefined ? createHash('sha256') : createHmac('sha256', toBytes(key))
  }

  update(data: string | ArrayBuffer | ArrayBufferView): void {
    this.#hash.update(toBytes(data))
  }

  digest(): Promise<Uint8Array> {
    return Promise.resolve(this.#hash.digest())
  }

  reset(): void {
    throw new Error('a hash is used once')
  }
}

const toBytes = (data: string | ArrayBuffer | ArrayBufferView): Uint8Array => {
  if (typeof data === 'string') return Buffer.from(data)
  return ArrayBuffer.isView(data) ? new Uint8Array(data.buffer, data.byteOffset, data.byteLength) : new Uint8Array(data)
}

/** Connects through the proxy, where one applies. */
class ProxyingAgent extends Agent {
  readonly #proxy: ProxySettings

  constructor(proxy: ProxySettings) {
    super()
    this.#proxy = proxy
  }

  override createConnection(
    { host, port }: AgentOptions,
    callback?: (error: Error | null, stream: Duplex) => void,
  ): undefined {
    const address = new URL(`https://${host?.includes(':') ? `[${host}]` : host}:${port}`)
    const { ready } = openSocket(address, { proxy: proxyFor(address, this.#proxy) })
    ready.then(
      (socket) => callback?.(null, socket),
      (error: Error) => callback?.(error, undefined as unknown as Duplex),
    )
  }
}
