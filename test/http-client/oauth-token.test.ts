import { once } from 'node:events'
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, expect, it, onTestFinished } from 'vitest'
import { TokenSource } from '../../src/http-client/oauth-token.js'
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

const createSource = (url: string, clock = new ManualClock()): TokenSource => {
  const credentials = { tokenEndpoint: url, clientId: 'me:1', clientSecret: 's ö', scope: 'kafka' }
  const source = new TokenSource({ credentials, section: 'kafka.sasl' }, clock)
  onTestFinished(() => source.close())
  return source
}

describe('TokenSource', () => {
  it('requests a token with client credentials', async () => {
    const { url, requests } = await endpoint(() => ({ body: '{"access_token":"abc","expires_in":3600}' }))
    expect(await createSource(url).getToken()).toBe('abc')
    const credentials = Buffer.from('me%3A1:s%20%C3%B6').toString('base64')
    expect(requests).toEqual([
      { authorization: `Basic ${credentials}`, body: 'grant_type=client_credentials&scope=kafka' },
    ])
  })

  it('returns the same token until shortly before it expires', async () => {
    const clock = new ManualClock()
    const { url, requests } = await endpoint((n) => ({ body: `{"access_token":"token ${n}","expires_in":300}` }))
    const source = createSource(url, clock)
    expect([await source.getToken(), await source.getToken()]).toEqual(['token 1', 'token 1'])
    await clock.advance(271_000)
    expect(await source.getToken()).toBe('token 2')
    expect(requests).toHaveLength(2)
  })

  it('requests a new token each time if the endpoint states no lifetime', async () => {
    const { url } = await endpoint((n) => ({ body: `{"access_token":"token ${n}"}` }))
    const source = createSource(url)
    expect([await source.getToken(), await source.getToken()]).toEqual(['token 1', 'token 2'])
  })

  it('makes one request for callers that wait at the same time', async () => {
    const { url, requests } = await endpoint((n) => ({ body: `{"access_token":"token ${n}","expires_in":300}` }))
    const source = createSource(url)
    const tokens = await Promise.all([source.getToken(), source.getToken(), source.getToken()])
    expect(tokens).toEqual(['token 1', 'token 1', 'token 1'])
    expect(requests).toHaveLength(1)
  })

  it('keeps a token that is about to expire while the endpoint fails, and not longer', async () => {
    const clock = new ManualClock()
    const { url } = await endpoint((n) =>
      n === 1 ? { body: '{"access_token":"first","expires_in":300}' } : { status: 503, body: '' },
    )
    const source = createSource(url, clock)
    await source.getToken()
    await clock.advance(280_000)
    expect(await source.getToken()).toBe('first')
    await clock.advance(21_000)
    await expect(source.getToken()).rejects.toMatchObject({ name: 'TokenError', isRefusal: false })
  })

  it('fetches another token after one was discarded, but not after an older one was', async () => {
    const { url } = await endpoint((n) => ({ body: `{"access_token":"token ${n}","expires_in":300}` }))
    const source = createSource(url)
    source.discard(await source.getToken())
    expect(await source.getToken()).toBe('token 2')
    source.discard('token 1')
    expect(await source.getToken()).toBe('token 2')
  })

  it('reports status and error code of a refused request with the keys to check', async () => {
    const { url } = await endpoint(() => ({ status: 401, body: '{"error":"invalid_client"}' }))
    await expect(createSource(url).getToken()).rejects.toMatchObject({
      message: `the token endpoint ${url} answered 401 (invalid_client) without an access_token; check kafka.sasl.clientId, clientSecret and scope`,
      isRefusal: true,
    })
    const { url: page } = await endpoint(() => ({ body: '<html>' }))
    await expect(createSource(page).getToken()).rejects.toThrow(
      'answered 200 without an access_token; check kafka.sasl.tokenEndpoint',
    )
  })

  it('cuts an error code that is longer than any of OAuth', async () => {
    const { url } = await endpoint(() => ({ status: 400, body: JSON.stringify({ error: 'x'.repeat(100_000) }) }))
    const error: unknown = await createSource(url)
      .getToken()
      .catch((caught: unknown) => caught)
    expect((error as Error).message.length).toBeLessThan(400)
  })
})
