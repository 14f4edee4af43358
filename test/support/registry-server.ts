/**
 * A small schema registry for answers that a real one does not give on demand: refusals, errors, no answer at all, and
 * ids that stand for another schema. The behaviour of a real registry is tested with a real one, in
 * test/integration/registry.test.ts.
 */
import { createServer, type IncomingMessage, type Server } from 'node:http'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { DIALECTS, type RegistryAnswer as Answer, type RegistryDialect } from './registry-dialects.js'

/** Returns an answer to use instead of the usual one, `silence` for none at all, or undefined for the usual one. */
export type AnswerOverride = (method: string, path: string) => Answer | 'silence' | undefined

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
  /** The global level. No subject has one of its own. */
  level = 'BACKWARD'
  dialect: RegistryDialect = DIALECTS.confluent
  /** Versions that no schema may follow. They are refused with 409 on registering, too. */
  readonly incompatibleVersions = new Set<number>()
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
    const { dialect } = this
    const [, resource, name = '', tail = ''] = /^\/apis\/ccompat\/v7\/(\w+)(?:\/([^/?]+))?([^?]*)/.exec(path) ?? []
    const subject = decodeURIComponent(name)
    if (resource === 'config') return this.#levelOf(subject)
    if (resource === 'compatibility') return this.#testCompatibility(tail)
    if (resource === 'schemas') {
      const text = this.schemas.get(Number(tail.slice(1)))
      return text === undefined ? dialect.notFound('schema') : { body: { schema: text } }
    }
    if (resource !== 'subjects') return dialect.noEndpoint
    if (subject === '') return { body: [...this.subjects.keys()] }
    return this.#answerForSubject(method, subject, tail, body.schema ?? '')
  }

  #answerForSubject(method: string, subject: string, tail: string, schema: string): Answer {
    const ids = this.subjects.get(subject)
    if (method === 'POST' && tail === '/versions') {
      const isRefused = this.#versionsToTest(ids ?? []).some((version) => this.incompatibleVersions.has(version))
      if (isRefused) return { status: 409, body: { error_code: 409, message: 'Incompatible schema' } }
      return { body: { id: this.addVersion(subject, schema) } }
    }
    if (!ids) return this.dialect.notFound('subject')
    if (method === 'POST') {
      const id = ids.find((each) => this.schemas.get(each) === schema)
      if (id === undefined) return this.dialect.notFound('schema')
      return { body: { subject, id, version: ids.indexOf(id) + 1, schema } }
    }
    if (tail === '/versions') return { body: ids.map((_, index) => index + 1) }
    const wanted = tail.slice('/versions/'.length)
    const version = wanted === 'latest' ? ids.length : Number(wanted)
    const id = ids[version - 1]
    if (id === undefined) return this.dialect.notFound('version')
    return { body: { subject, id, version, schema: this.schemas.get(id) } }
  }

  #levelOf(subject: string): Answer {
    const { defaultsToGlobal, hasGlobalLevel, noEndpoint, notFound } = this.dialect
    const isExisting = defaultsToGlobal === 'existing' && this.subjects.has(subject)
    const isKnown = subject === '' ? hasGlobalLevel : defaultsToGlobal === 'every' || isExisting
    if (isKnown) return { body: { compatibilityLevel: this.level } }
    return subject === '' ? noEndpoint : notFound('subject')
  }

  /** @param path `/<subject>/versions`, perhaps with a version */
  #testCompatibility(path: string): Answer {
    const { dialect } = this
    const [, subject = '', wanted] = /^\/([^/]+)\/versions(?:\/(\w+))?$/.exec(path) ?? []
    if (wanted === undefined ? !dialect.testsAllVersions : !dialect.testsOneVersion) return dialect.noEndpoint
    const ids = this.subjects.get(decodeURIComponent(subject))
    if (!ids) return dialect.acceptsMissingSubject ? { body: this.compatibility } : dialect.notFound('subject')
    const one = wanted === 'latest' ? ids.length : Number(wanted)
    const isOne = wanted !== undefined && !(dialect.testsTransitively && this.level.endsWith('_TRANSITIVE'))
    const versions = isOne ? [one] : ids.map((_, index) => index + 1)
    const isIncompatible = versions.some((version) => this.incompatibleVersions.has(version))
    return { body: isIncompatible ? { is_compatible: false, messages: ['TYPE_MISMATCH'] } : this.compatibility }
  }

  /** The versions that the level makes the registry test when a schema is registered. */
  #versionsToTest(ids: readonly number[]): number[] {
    const versions = ids.map((_, index) => index + 1)
    if (this.level === 'NONE') return []
    return this.level.endsWith('_TRANSITIVE') ? versions : versions.slice(-1)
  }
}

const bodyOf = async (request: IncomingMessage): Promise<{ schema?: string }> => {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  const text = Buffer.concat(chunks).toString()
  return text === '' ? {} : (JSON.parse(text) as { schema?: string })
}
