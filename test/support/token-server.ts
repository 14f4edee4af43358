/** A real OpenID provider, which gives signed tokens to one OAuth client. Brokers and registries verify them by its keys. */
import { once } from 'node:events'
import { createServer, type RequestListener } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { freePort } from '../../dev/ports.js'
import type { Identity } from './certificates.js'

/** The package has no types; this is what the test uses of it. */
interface OidcProviderModule {
  readonly default: new (
    issuer: string,
    configuration: object,
  ) => { callback(): RequestListener; on(event: string, listener: () => void): void }
}
/** A name that the compiler does not look up. */
const PACKAGE: string = 'oidc-provider'

export const CLIENT_ID = 'sms-connector'
export const CLIENT_SECRET = 'client-s3cr+t/='
export const SCOPE = 'events'
export const AUDIENCE = 'company'

export interface TokenServer {
  /** The same provider in plain HTTP, for the servers that verify tokens. */
  readonly issuer: string
  /** With TLS of the private authority; demands a client certificate. */
  readonly tokenEndpoint: string
  readonly counts: { tokens: number }
  stop(): Promise<void>
}

/** @param lifetimeSeconds of a token */
export async function startTokenServer(identity: Identity, ca: string, lifetimeSeconds: number): Promise<TokenServer> {
  const port = await freePort()
  const issuer = `http://127.0.0.1:${port}`
  const { default: Provider } = (await import(PACKAGE)) as OidcProviderModule
  const provider = new Provider(issuer, {
    clients: [
      {
        client_id: CLIENT_ID,
        client_secret: CLIENT_SECRET,
        grant_types: ['client_credentials'],
        redirect_uris: [],
        response_types: [],
      },
    ],
    scopes: [SCOPE],
    features: {
      clientCredentials: { enabled: true },
      devInteractions: { enabled: false },
      resourceIndicators: {
        enabled: true,
        defaultResource: () => `urn:${AUDIENCE}`,
        useGrantedResource: () => true,
        getResourceServerInfo: () => ({
          scope: SCOPE,
          audience: AUDIENCE,
          accessTokenFormat: 'jwt',
          accessTokenTTL: lifetimeSeconds,
          jwt: { sign: { alg: 'RS256' } },
        }),
      },
    },
  })
  const counts = { tokens: 0 }
  provider.on('client_credentials.issued', () => counts.tokens++)
  const listener = provider.callback()
  const plain = createServer(listener).listen(port, '127.0.0.1')
  const secure = createTlsServer({ ...identity, ca, requestCert: true }, listener).listen(0, '127.0.0.1')
  await Promise.all([once(plain, 'listening'), once(secure, 'listening')])
  return {
    issuer,
    tokenEndpoint: `https://127.0.0.1:${(secure.address() as AddressInfo).port}/token`,
    counts,
    stop: async () => {
      for (const server of [plain, secure]) {
        server.closeAllConnections()
        await new Promise((resolve) => server.close(resolve))
      }
    },
  }
}
