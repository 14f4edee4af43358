/** Fetches tokens for SASL OAUTHBEARER with OAuth 2.0 client credentials (RFC 6749, 4.4). */
import { request } from 'undici'
import type { Clock } from '../core/clock.js'
import { parseJsonObject } from '../core/json.js'
import type { KafkaSettings } from './settings.js'
import { quote, rememberToken } from '../masking/known-secrets.js'

type ClientCredentials = Extract<KafkaSettings['sasl'], { mechanism: 'oauthbearer' }>

/** A token is replaced when its remaining lifetime is shorter than this. */
const REFRESH_MARGIN_MS = 30_000
const TOKEN_REQUEST_TIMEOUT_MS = 5_000
/** The codes of RFC 6749 have up to 22 characters. */
const MAX_QUOTED_ERROR_CHARACTERS = 100

/** Returns a function that fetches a token and returns the same one until it is about to expire. */
export function createTokenProvider(credentials: ClientCredentials, clock: Clock): () => Promise<{ value: string }> {
  let token: { value: string } | undefined
  let refreshAt = 0
  return async () => {
    if (token && clock.monotonic() < refreshAt) return token
    const { value, lifetimeMs } = await fetchToken(credentials)
    refreshAt = clock.monotonic() + lifetimeMs - REFRESH_MARGIN_MS
    token = { value }
    return token
  }
}

async function fetchToken(credentials: ClientCredentials): Promise<{ value: string; lifetimeMs: number }> {
  const { tokenEndpoint, clientId, clientSecret, scope } = credentials
  const basic = Buffer.from(`${encodeURIComponent(clientId)}:${encodeURIComponent(clientSecret)}`).toString('base64')
  const form = new URLSearchParams({ grant_type: 'client_credentials', ...(scope !== undefined && { scope }) })
  const response = await request(tokenEndpoint, {
    method: 'POST',
    headers: {
      authorization: `Basic ${basic}`,
      'content-type': 'application/x-www-form-urlencoded',
      accept: 'application/json',
    },
    body: form.toString(),
    headersTimeout: TOKEN_REQUEST_TIMEOUT_MS,
    bodyTimeout: TOKEN_REQUEST_TIMEOUT_MS,
    signal: AbortSignal.timeout(TOKEN_REQUEST_TIMEOUT_MS),
  })
  const text = await response.body.text()
  const fields = parseJsonObject(text) ?? {}
  if (response.statusCode !== 200 || typeof fields['access_token'] !== 'string') {
    const reason =
      typeof fields['error'] === 'string' ? ` (${quote(fields['error'], MAX_QUOTED_ERROR_CHARACTERS)})` : ''
    throw new Error(
      `the token endpoint ${tokenEndpoint} answered ${response.statusCode}${reason} without an access_token; check kafka.sasl`,
    )
  }
  rememberToken(fields['access_token'])
  const seconds = Number(fields['expires_in'])
  return { value: fields['access_token'], lifetimeMs: Number.isFinite(seconds) ? seconds * 1_000 : 0 }
}
