import { createServer } from 'node:http'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { describe, expect, it, onTestFinished } from 'vitest'
import { HttpClient } from '../../src/http-client/http-client.js'
import { ConnectProxy } from '../support/connect-proxy.js'

const startProxy = async (): Promise<ConnectProxy> => {
  const proxy = await ConnectProxy.start()
  onTestFinished(() => proxy.stop())
  return proxy
}

const createClient = (proxyUrl: string, noProxy: readonly string[] = []): HttpClient => {
  const server = { url: proxyUrl, username: 'u', password: 'p', origin: 'HTTP_PROXY' }
  const proxy = { http: server, https: server, noProxy }
  const client = new HttpClient({ proxy, timeoutMs: 5_000, maxAnswerBytes: 1_000 })
  onTestFinished(() => client.close())
  return client
}

const get = (client: HttpClient, url: string) => client.send({ method: 'GET', url, headers: { accept: 'a/b' } })

describe('HttpClient', () => {
  it('requests an http address from the proxy itself, with the credentials of the proxy', async () => {
    const proxy = await startProxy()
    const answer = await get(createClient(proxy.url), 'http://registry.example:8081/subjects?a=b')
    expect(answer).toMatchObject({ status: 200, text: '{}', forwardedBy: proxy.url })
    expect(proxy.targets).toEqual(['http://registry.example:8081/subjects?a=b'])
    expect(proxy.authorizations).toEqual([`Basic ${Buffer.from('u:p').toString('base64')}`])
  })

  it('connects directly to what noProxy lists, on IPv6 too', async () => {
    const server = createServer((_, response) => response.end('direct')).listen(0, '::1')
    await once(server, 'listening')
    onTestFinished(() => void server.close())
    const proxy = await startProxy()
    const url = `http://[::1]:${(server.address() as AddressInfo).port}/`
    expect(await get(createClient(proxy.url, ['::1']), url)).toMatchObject({ text: 'direct', forwardedBy: undefined })
    expect(proxy.targets).toEqual([])
  })

  it('reports wrong credentials of the proxy with the variable that holds them, for http and https', async () => {
    const proxy = await startProxy()
    proxy.refusal = { status: 407 }
    for (const url of ['http://registry.example:8081/', 'https://registry.example/']) {
      await expect(get(createClient(proxy.url), url)).rejects.toMatchObject({
        name: 'ProxyError',
        status: 407,
        message: expect.stringContaining('check user and password in HTTP_PROXY') as string,
      })
    }
  })

  it('reports a proxy that can not be reached as such', async () => {
    const client = createClient('http://127.0.0.1:1')
    for (const url of ['http://registry.example:8081/', 'https://registry.example/']) {
      await expect(get(client, url)).rejects.toMatchObject({
        name: 'ProxyError',
        message: expect.stringMatching(/^the proxy http:\/\/127\.0\.0\.1:1 .*ECONNREFUSED.*check HTTP_PROXY/) as string,
      })
    }
  })
})
