/**
 * A schema registry in a few lines, for answers that a real one does not give on demand: refusals, errors, silence, ids
 * that mean something else. What a real one does is tested with a real one.
 */
import { createServer, type IncomingMessage, type Server } from 'node:http'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'

interface Answer {
  readonly status?: number
  readonly body: unknown
}
/** Instead of the usual answer: another one, or none at all. */
export type Instead = (method: string, path: string) => Answer | 'silence' | undefined

const NOT_FOUND: Answer = { status: 404, body: { error_code: 40401, message: 'not found' } }

export class RegistryServer {
  readonly #server: Server
  /** `METHOD path` of every request, in order. */
  readonly requests: string[] = []
  readonly authorizations: (string | undefined)[] = []
  /** JSON text of the schema with each id. */
  readonly schemas = new Map<number, string>()
  /** Ids of a subject's versions, in order. */
  readonly subjects = new Map<string, number[]>()
  compatible: { is_compatible: boolean; messages?: string[] } = { is_compatible: true }
  level = 'BACKWARD'
  nextId = 1
  instead: Instead = () => undefined
  #away = false

  private constructor() {
    this.#server = createServer((request, response) => {
      void bodyOf(request).then((body) => {
        const method = request.method ?? ''
        const path = request.url ?? ''
        this.requests.push(`${method} ${path}`)
        this.authorizations.push(request.headers.authorization)
        const answer = this.instead(method, path) ?? this.#answer(method, path, body)
        if (answer === 'silence') return
        const text = typeof answer.body === 'string' ? answer.body : JSON.stringify(answer.body)
        response.writeHead(answer.status ?? 200).end(text)
      })
    })
  }

  static async start(): Promise<RegistryServer> {
    const registry = new RegistryServer()
    registry.#server.on('connection', (socket) => registry.#away && socket.destroy())
    registry.#server.listen(0, '127.0.0.1')
    await once(registry.#server, 'listening')
    return registry
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/apis/ccompat/v7`
  }

  /** From now on every connection is cut; the port stays ours. */
  leave(): void {
    this.#away = true
    this.#server.closeAllConnections()
  }

  comeBack(): void {
    this.#away = false
  }

  /** As if another registry stood here from now on. */
  forget(): void {
    this.schemas.clear()
    this.subjects.clear()
    this.requests.length = 0
    this.nextId = 1
  }

  /** Puts a schema into a subject, as somebody else would. */
  add(subject: string, schema: string): number {
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
    const [, what, name = '', ...rest] = /^\/apis\/ccompat\/v7\/(\w+)(?:\/([^/?]+))?([^?]*)/.exec(path) ?? []
    const subject = decodeURIComponent(name)
    const tail = rest.join('')
    const { schema = '' } = body
    if (what === 'config') return { body: { compatibilityLevel: this.level } }
    if (what === 'compatibility') return { body: this.compatible }
    if (what === 'schemas') {
      const text = this.schemas.get(Number(tail.slice(1)))
      return text === undefined ? NOT_FOUND : { body: { schema: text } }
    }
    const ids = this.subjects.get(subject)
    if (method === 'POST' && tail === '/versions') return { body: { id: this.add(subject, schema) } }
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
