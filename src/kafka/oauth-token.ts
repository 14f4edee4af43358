/** Tokens for SASL OAUTHBEARER by OAuth 2.0 client credentials (RFC 6749, 4.4). */
import { request } from 'undici'
import type { Clock } from '../core/clock.js'
import type { SaslSettings } from './settings.js'

type ClientCredentials = Extract<SaslSettings, { mechanism: 'oauthbearer' }>

/** A token is fetched anew when less than this is left of its life, in ms. */
const MARGIN = 30_000
const TIMEOUT = 5_000

/** Fetches a token, and gives the same one out until it is nearly over. */
export function tokenProvider(credentials: ClientCredentials, clock: Clock): () => Promise<{ value: string }> {
  let token: { value: string } | undefined
  let goodUntil = 0
  return async () => {
    if (token && clock.monotonic() < goodUntil) return token
    const { value, lifetime } = await fetchToken(credentials)
    goodUntil = clock.monotonic() + lifetime - MARGIN
    return (token = { value })
  }
}

async function fetchToken({
  tokenEndpoint,
  clientId,
  clientSecret,
  scope,
}: ClientCredentials): Promise<{ value: string; lifetime: number }> {
  const form = new URLSearchParams({ grant_type: 'client_credentials', ...(scope !== undefined && { scope }) })
  const answer = await request(tokenEndpoint, {
    method: 'POST',
    headers: {
      authorization: `Basic ${Buffer.from(`${encodeURIComponent(clientId)}:${encodeURIComponent(clientSecret)}`).toString('base64')}`,
      'content-type': 'application/x-www-form-urlencoded',
      accept: 'application/json',
    },
    body: form.toString(),
    headersTimeout: TIMEOUT,
    bodyTimeout: TIMEOUT,
    signal: AbortSignal.timeout(TIMEOUT),
  })
  const text = await answer.body.text()
  const found = parse(text)
  if (answer.statusCode !== 200 || typeof found['access_token'] !== 'string') {
    const reason = typeof found['error'] === 'string' ? ` (${found['error']})` : ''
    throw new Error(
      `the token endpoint ${tokenEndpoint} answers ${answer.statusCode}${reason} and no access_token; check kafka.sasl`,
    )
  }
  const seconds = Number(found['expires_in'])
  return { value: found['access_token'], lifetime: Number.isFinite(seconds) ? seconds * 1000 : 0 }
}

const parse = (text: string): Record<string, unknown> => {
  try {
    return (JSON.parse(text) ?? {}) as Record<string, unknown>
  } catch {
    return {}
  }
}
