/**
 * A small schema registry for answers that a real one does not give on demand: refusals, errors, no answer at all, and
 * ids that stand for another schema. The behaviour of a real registry is tested with a real one, in
 * test/integration/registry.test.ts.
 */
import { createServer, type IncomingMessage, type Server } from 'node:http'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'

interface Answer {
  readonly status?: number
  readonly body: unknown
}
/** Returns an answer to use instead of the usual one, `silence` for none at all, or undefined for the usual one. */
export type AnswerOverride = (method: string, path: string) => Answer | 'silence' | undefined

const NOT_FOUND: Answer = { status: 404, body: { error_code: 40401, message: 'not found' } }

export class RegistryServer {
  readonly #server: Server
  /** Every request in order, as `METHOD path`. */
  readonly requests: string[] = []
  readonly authorizations: (string | undefined)[] = []
  /** JSON text of the schema with each id. */
  readonly schemas = new Map<number, string>()
  /** The schema ids of each subject's versions, in order. */
  readonly subjects = new Map<string, number[]>()
  compatibility: { is_compatible: boolean; messages?: string[] } = { is_compatible: true }
  level = 'BACKWARD'
  nextId = 1
  overrideAnswer: AnswerOverride = () => undefined
  #isDisconnected = false

  private constructor() {
    this.#server = createServer((request, response) => {
      void bodyOf(request).then((body) => {
        const method = request.method ?? ''
        const path = request.url ?? ''
        this.requests.push(`${method} ${path}`)
        this.authorizations.push(request.headers.authorization)
        const answer = this.overrideAnswer(method, path) ?? this.#answer(method, path, body)
        if (answer === 'silence') return
        const text = typeof answer.body === 'string' ? answer.body : JSON.stringify(answer.body)
        response.writeHead(answer.status ?? 200).end(text)
      })
    })
  }

  static async start(): Promise<RegistryServer> {
    const registry = new RegistryServer()
    registry.#server.on('connection', (socket) => registry.#isDisconnected && socket.destroy())
    registry.#server.listen(0, '127.0.0.1')
    await once(registry.#server, 'listening')
    return registry
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/apis/ccompat/v7`
  }

  /** Closes all connections, and every new one at once, until `reconnect`. The port stays in use. */
  disconnect(): void {
    this.#isDisconnected = true
    this.#server.closeAllConnections()
  }

  reconnect(): void {
    this.#isDisconnected = false
  }

  /** Deletes everything, as if another registry had taken over the address. */
  reset(): void {
    this.schemas.clear()
    this.subjects.clear()
    this.requests.length = 0
    this.nextId = 1
  }

  /** Adds a schema to a subject, as another client would. @returns its id */
  addVersion(subject: string, schema: string): number {
    const known = [...this.schemas].find(([, text]) => text === schema)?.[0]
    const id = known ?? this.nextId++
    this.schemas.set(id, schema)
    const versions = this.subjects.get(subject) ?? []
    if (!versions.includes(id)) this.subjects.set(subject, [...versions, id])
    return id
  }

  async stop(): Promise<void> {
    if (!this.#server.listening) return
    this.#server.closeAllConnections()
    this.#server.close()
    await once(this.#server, 'close')
  }

  #answer(method: string, path: string, body: { schema?: string }): Answer {
    const [, resource, name = '', ...rest] = /^\/apis\/ccompat\/v7\/(\w+)(?:\/([^/?]+))?([^?]*)/.exec(path) ?? []
    const subject = decodeURIComponent(name)
    const tail = rest.join('')
    const { schema = '' } = body
    if (resource === 'config') return { body: { compatibilityLevel: this.level } }
    if (resource === 'compatibility') return { body: this.compatibility }
    if (resource === 'schemas') {
      const text = this.schemas.get(Number(tail.slice(1)))
      return text === undefined ? NOT_FOUND : { body: { schema: text } }
    }
    const ids = this.subjects.get(subject)
    if (method === 'POST' && tail === '/versions') return { body: { id: this.addVersion(subject, schema) } }
    if (!ids) return NOT_FOUND
    if (method === 'POST') {
      const id = ids.find((each) => this.schemas.get(each) === schema)
      return id === undefined ? NOT_FOUND : { body: { subject, id, version: ids.indexOf(id) + 1, schema } }
    }
    if (tail === '/versions') return { body: ids.map((_, index) => index + 1) }
    const id = ids[Number(tail.slice('/versions/'.length)) - 1]
    return id === undefined ? NOT_FOUND : { body: { subject, id, schema: this.schemas.get(id) } }
  }
}

const bodyOf = async (request: IncomingMessage): Promise<{ schema?: string }> => {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  const text = Buffer.concat(chunks).toString()
  return text === '' ? {} : (JSON.parse(text) as { schema?: string })
}
