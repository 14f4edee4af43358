/** Stands before a real schema registry, and answers in its place as its mood is. */
import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'

export type Mood =
  /** The registry's own answers. */
  | 'well'
  /** The same, one to three seconds later. */
  | 'slow'
  /** Connections are cut. */
  | 'away'
  /** No answer at all. */
  | 'silent'
  /** HTTP 500. */
  | 'errors'
  /** HTTP 200 with a page for people. */
  | 'page'
  /** Every id stands for another schema. */
  | 'other'

const HEADERS = { 'content-type': 'application/vnd.schemaregistry.v1+json' }

export class RegistryProxy {
  mood: Mood = 'well'
  readonly #target: URL
  readonly #server: Server

  private constructor(target: string) {
    this.#target = new URL(target)
    this.#server = createServer((request, response) => {
      this.#answer(request, response).catch(() => response.destroy())
    })
  }

  static async before(url: string): Promise<RegistryProxy> {
    const proxy = new RegistryProxy(url)
    proxy.#server.listen(0, '127.0.0.1')
    await once(proxy.#server, 'listening')
    return proxy
  }

  get url(): string {
    const url = new URL(this.#target)
    url.host = `127.0.0.1:${(this.#server.address() as AddressInfo).port}`
    return url.href
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections()
    this.#server.close()
    await once(this.#server, 'close')
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    const { mood } = this
    if (mood === 'silent') return
    if (mood === 'away') return void response.destroy()
    if (mood === 'errors') return void response.writeHead(500, HEADERS).end('{"error_code":50001,"message":"a fault"}')
    if (mood === 'page') return void response.writeHead(200, { 'content-type': 'text/html' }).end('<html></html>')
    if (mood === 'other' && /\/schemas\/ids\/\d+/.test(request.url ?? ''))
      return void response.writeHead(200, HEADERS).end('{"schema":"\\"string\\""}')
    if (mood === 'slow') await delay(1_000 + Math.random() * 2_000)
    const url = new URL(request.url ?? '/', this.#target)
    const body = Buffer.concat(chunks)
    const answer = await fetch(url, {
      method: request.method ?? 'GET',
      headers: HEADERS,
      ...(body.length > 0 && { body }),
    })
    response.writeHead(answer.status, HEADERS).end(Buffer.from(await answer.arrayBuffer()))
  }
}
