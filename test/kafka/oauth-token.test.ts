import { once } from 'node:events'
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, expect, it, onTestFinished } from 'vitest'
import { createTokenProvider } from '../../src/kafka/oauth-token.js'
import { ManualClock } from '../support/manual-clock.js'

interface TokenRequest {
  readonly authorization: string | undefined
  readonly body: string
}

const endpoint = async (
  respond: (n: number) => { status?: number; body: string },
): Promise<{ url: string; requests: TokenRequest[] }> => {
  const requests: TokenRequest[] = []
  const server = createServer((request, response) => {
    void bodyOf(request).then((body) => {
      requests.push({ authorization: request.headers.authorization, body })
      const { status = 200, body: text } = respond(requests.length)
      response.writeHead(status, { 'content-type': 'application/json' }).end(text)
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/token`, requests }
}

const bodyOf = async (request: IncomingMessage): Promise<string> => {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks).toString()
}

const provider = (url: string, clock = new ManualClock()) =>
  createTokenProvider(
    { mechanism: 'oauthbearer', tokenEndpoint: url, clientId: 'me:1', clientSecret: 's ö', scope: 'kafka' },
    clock,
  )

describe('The token provider for OAUTHBEARER', () => {
  it('requests a token with client credentials', async () => {
    const { url, requests } = await endpoint(() => ({ body: '{"access_token":"abc","expires_in":3600}' }))
    expect(await provider(url)()).toEqual({ value: 'abc' })
    const credentials = Buffer.from('me%3A1:s%20%C3%B6').toString('base64')
    expect(requests).toEqual([
      { authorization: `Basic ${credentials}`, body: 'grant_type=client_credentials&scope=kafka' },
    ])
  })

  it('returns the same token until shortly before it expires', async () => {
    const clock = new ManualClock()
    const { url, requests } = await endpoint((n) => ({ body: `{"access_token":"token ${n}","expires_in":300}` }))
    const token = provider(url, clock)
    expect([await token(), await token()]).toEqual([{ value: 'token 1' }, { value: 'token 1' }])
    await clock.advance(271_000)
    expect(await token()).toEqual({ value: 'token 2' })
    expect(requests).toHaveLength(2)
  })

  it('requests a new token each time if the endpoint states no lifetime', async () => {
    const { url } = await endpoint((n) => ({ body: `{"access_token":"token ${n}"}` }))
    const token = provider(url)
    expect([await token(), await token()]).toEqual([{ value: 'token 1' }, { value: 'token 2' }])
  })

  it('reports status and error code of a refused request', async () => {
    const { url } = await endpoint(() => ({ status: 401, body: '{"error":"invalid_client"}' }))
    await expect(provider(url)()).rejects.toThrow(
      `${url} answered 401 (invalid_client) without an access_token; check kafka.sasl`,
    )
    const { url: page } = await endpoint(() => ({ body: '<html>' }))
    await expect(provider(page)()).rejects.toThrow('answered 200 without an access_token')
  })
})
