import { createServer } from 'node:http'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { generateAuthTokenFromCredentialsProvider } from 'aws-msk-iam-sasl-signer-js'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { MskIamTokenSource } from '../../src/kafka/msk-iam-token.js'
import { ManualClock } from '../support/manual-clock.js'

const NOW = Date.parse('2026-11-28T06:00:00Z')
const REGION = 'eu-central-1'

afterEach(() => {
  vi.useRealTimers()
  vi.unstubAllEnvs()
})

const queryOf = (token: string): URLSearchParams => new URL(Buffer.from(token, 'base64url').toString()).searchParams

/** The presigned URL without the name of the program, which is not signed. */
const withoutUserAgent = (token: string): string =>
  Buffer.from(token, 'base64url')
    .toString()
    .replace(/User-Agent=[^&]*/, 'User-Agent=')

describe('MskIamTokenSource', () => {
  it.each([
    ['of a user', {}],
    ['of a role', { sessionToken: "a/very+long=token!*'()" }],
    ['that expire before the token would', { sessionToken: 's', expiration: new Date(NOW + 600_000) }],
  ])("signs with credentials %s the token that AWS's own signer signs", async (_, changes) => {
    vi.useFakeTimers({ now: NOW, toFake: ['Date'] })
    const identity = {
      accessKeyId: 'AKIDEXAMPLE',
      secretAccessKey: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY',
      ...changes,
    }
    const credentials = () => Promise.resolve(identity)
    const expected = await generateAuthTokenFromCredentialsProvider({
      region: REGION,
      awsCredentialsProvider: credentials,
    })
    const clock = new ManualClock(NOW)
    const token = await new MskIamTokenSource({ region: REGION, credentials }, clock).getToken()
    expect(withoutUserAgent(token)).toBe(withoutUserAgent(expected.token))
    expect(token).toMatch(/^[A-Za-z0-9_-]+$/)
  })

  it('takes the credentials of the environment', async () => {
    vi.stubEnv('AWS_ACCESS_KEY_ID', 'AKIDENVIRONMENT')
    vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'secret')
    const token = await new MskIamTokenSource({ region: REGION }, new ManualClock(NOW)).getToken()
    expect(queryOf(token).get('X-Amz-Credential')).toBe(`AKIDENVIRONMENT/20261128/${REGION}/kafka-cluster/aws4_request`)
  })

  it('takes those of the container endpoint, with the token that it demands', async () => {
    const server = createServer((request, response) => {
      const isAllowed = request.headers.authorization === 'token-of-the-pod'
      response.writeHead(isAllowed ? 200 : 403, { 'content-type': 'application/json' })
      const Expiration = new Date(Date.now() + 3_600_000).toISOString()
      response.end(JSON.stringify({ AccessKeyId: 'ASIAPOD', SecretAccessKey: 's', Token: 't', Expiration }))
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    vi.stubEnv('AWS_CONTAINER_CREDENTIALS_FULL_URI', `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`)
    vi.stubEnv('AWS_CONTAINER_AUTHORIZATION_TOKEN', 'token-of-the-pod')
    try {
      const token = await new MskIamTokenSource({ region: REGION }, new ManualClock(Date.now())).getToken()
      expect(queryOf(token).get('X-Amz-Credential')).toMatch(/^ASIAPOD\//)
      expect(queryOf(token).get('X-Amz-Security-Token')).toBe('t')
    } finally {
      server.closeAllConnections()
      server.close()
    }
  })

  it('says what to provide where there are no credentials', async () => {
    vi.stubEnv('AWS_EC2_METADATA_DISABLED', 'true')
    const source = new MskIamTokenSource({ region: REGION }, new ManualClock(NOW))
    await expect(source.getToken()).rejects.toMatchObject({
      name: 'TokenError',
      message: expect.stringMatching(
        /^no AWS credentials for kafka\.sasl \(aws-msk-iam, region eu-central-1\): .*IRSA/,
      ) as string,
    })
  })
})
