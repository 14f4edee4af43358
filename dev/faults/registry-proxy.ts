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
  /** HTTP 200 with an answer that never ends. */
  | 'endless'
  /** Every id stands for another schema. */
  | 'other'
  /** Every id stands for a schema that readers of ours could read, and that is not ours. */
  | 'similar'
  /** Subjects are given each other's ids. */
  | 'mixed up'

type Json = Record<string, unknown>

const HEADERS = { 'content-type': 'application/vnd.schemaregistry.v1+json' }

export class RegistryProxy {
  mood: Mood = 'well'
  /** How many requests met each mood. */
  readonly met = new Map<Mood, number>()
  readonly #ids = new Map<string, unknown>()
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
    const path = request.url ?? '/'
    this.met.set(mood, (this.met.get(mood) ?? 0) + 1)
    if (mood === 'silent') return
    if (mood === 'away') return void response.destroy()
    if (mood === 'errors') return void response.writeHead(500, HEADERS).end('{"error_code":50001,"message":"a fault"}')
    if (mood === 'page') return void response.writeHead(200, { 'content-type': 'text/html' }).end('<html></html>')
    if (mood === 'endless') return endless(response)
    if (mood === 'other' && BY_ID.test(path))
      return void response.writeHead(200, HEADERS).end('{"schema":"\\"string\\""}')
    if (mood === 'slow') await delay(1_000 + Math.random() * 2_000)
    const body = Buffer.concat(chunks)
    const answer = await fetch(new URL(path, this.#target), {
      method: request.method ?? 'GET',
      headers: HEADERS,
      ...(body.length > 0 && { body }),
    })
    const text = await answer.text()
    response.writeHead(answer.status, HEADERS).end(answer.ok ? this.#told(path, text) : text)
  }

  /** What is told of an answer of the registry, as the mood is. */
  #told(path: string, text: string): string {
    if (this.mood === 'similar' && BY_ID.test(path)) return withOneMoreField(text)
    const [, subject] = OF_SUBJECT.exec(path) ?? []
    if (subject === undefined) return text
    const answer = JSON.parse(text) as Json
    const [, another] = [...this.#ids].find(([each]) => each !== subject) ?? []
    this.#ids.set(subject, answer['id'])
    return this.mood === 'mixed up' && another !== undefined ? JSON.stringify({ ...answer, id: another }) : text
  }
}

const BY_ID = /\/schemas\/ids\/\d+$/
/** Where a schema is looked up, or registered. */
const OF_SUBJECT = /\/subjects\/([^/?]+)(?:\/versions)?$/

function withOneMoreField(text: string): string {
  const answer = JSON.parse(text) as Json
  const schema = JSON.parse(answer['schema'] as string) as Json & { fields: Json[] }
  schema.fields.push({ name: 'tenant', type: ['null', 'string'], default: null })
  return JSON.stringify({ ...answer, schema: JSON.stringify(schema) })
}

function endless(response: ServerResponse): void {
  const blanks = Buffer.alloc(64 * 1024, ' ')
  response.writeHead(200, HEADERS)
  const more = (): void => {
    while (!response.destroyed && response.write(blanks));
  }
  response.on('drain', more)
  more()
}
