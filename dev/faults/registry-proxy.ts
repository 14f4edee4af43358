/** An HTTP proxy in front of a real schema registry. It passes requests on, or answers in place of the registry. */
import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'

export type RegistryMode =
  /** The answers of the registry are passed on. */
  | 'pass'
  /** The answers of the registry are passed on one to three seconds later. */
  | 'slow'
  /** Connections are cut. */
  | 'away'
  /** No answer arrives. */
  | 'silent'
  /** The proxy answers with HTTP 500. */
  | 'error'
  /** The proxy answers with HTTP 200 and an HTML page. */
  | 'web page'
  /** The proxy answers with HTTP 200 and a body that never ends. */
  | 'endless'
  /** Every id stands for another schema. */
  | 'another schema'
  /** Every id stands for a schema that is compatible with the right one and has one more field. */
  | 'similar schema'
  /** Each subject is given the id of another subject. */
  | 'exchanged ids'

type Json = Record<string, unknown>

const HEADERS = { 'content-type': 'application/vnd.schemaregistry.v1+json' }
const SCHEMA_BY_ID = /\/schemas\/ids\/\d+$/
/** The request by which a schema is looked up or registered. */
const SCHEMA_OF_SUBJECT = /\/subjects\/([^/?]+)(?:\/versions)?$/

export class RegistryProxy {
  mode: RegistryMode = 'pass'
  readonly #requests = new Map<RegistryMode, number>()
  /** Schema ids by subject. */
  readonly #ids = new Map<string, unknown>()
  readonly #registry: URL
  readonly #server: Server

  private constructor(registryUrl: string) {
    this.#registry = new URL(registryUrl)
    this.#server = createServer((request, response) => {
      this.#answer(request, response).catch(() => response.destroy())
    })
  }

  static async startInFrontOf(registryUrl: string): Promise<RegistryProxy> {
    const proxy = new RegistryProxy(registryUrl)
    proxy.#server.listen(0, '127.0.0.1')
    await once(proxy.#server, 'listening')
    return proxy
  }

  get url(): string {
    const url = new URL(this.#registry)
    url.host = `127.0.0.1:${(this.#server.address() as AddressInfo).port}`
    return url.href
  }

  /** The number of requests that arrived in this mode. */
  requestsIn(mode: RegistryMode): number {
    return this.#requests.get(mode) ?? 0
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections()
    this.#server.close()
    await once(this.#server, 'close')
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    const { mode } = this
    const path = request.url ?? '/'
    this.#requests.set(mode, this.requestsIn(mode) + 1)
    switch (mode) {
      case 'silent':
        return
      case 'away':
        return void response.destroy()
      case 'error':
        return void response.writeHead(500, HEADERS).end('{"error_code":50001,"message":"injected fault"}')
      case 'web page':
        return void response.writeHead(200, { 'content-type': 'text/html' }).end('<html></html>')
      case 'endless':
        return sendEndlessBody(response)
      case 'another schema':
        if (SCHEMA_BY_ID.test(path)) return void response.writeHead(200, HEADERS).end('{"schema":"\\"string\\""}')
        break
      case 'slow':
        await delay(1_000 + Math.random() * 2_000)
        break
      case 'pass':
      case 'similar schema':
      case 'exchanged ids':
        break
    }
    const body = Buffer.concat(chunks)
    const answer = await fetch(new URL(path, this.#registry), {
      method: request.method ?? 'GET',
      headers: HEADERS,
      ...(body.length > 0 && { body }),
    })
    const text = await answer.text()
    response.writeHead(answer.status, HEADERS).end(answer.ok ? this.#changedAnswer(path, text) : text)
  }

  /** The answer of the registry, changed if the mode demands it. */
  #changedAnswer(path: string, text: string): string {
    if (this.mode === 'similar schema' && SCHEMA_BY_ID.test(path)) return withAdditionalField(text)
    const [, subject] = SCHEMA_OF_SUBJECT.exec(path) ?? []
    if (subject === undefined) return text
    const answer = JSON.parse(text) as Json
    const [, anotherId] = [...this.#ids].find(([each]) => each !== subject) ?? []
    this.#ids.set(subject, answer['id'])
    const isExchanged = this.mode === 'exchanged ids' && anotherId !== undefined
    return isExchanged ? JSON.stringify({ ...answer, id: anotherId }) : text
  }
}

function withAdditionalField(text: string): string {
  const answer = JSON.parse(text) as Json
  const schema = JSON.parse(answer['schema'] as string) as Json & { fields: Json[] }
  schema.fields.push({ name: 'tenant', type: ['null', 'string'], default: null })
  return JSON.stringify({ ...answer, schema: JSON.stringify(schema) })
}

function sendEndlessBody(response: ServerResponse): void {
  const blanks = Buffer.alloc(64 * 1024, ' ')
  response.writeHead(200, HEADERS)
  const fillBuffer = (): void => {
    while (!response.destroyed && response.write(blanks));
  }
  response.on('drain', fillBuffer)
  fillBuffer()
}
