/**
 * The port for those who run it: probes, metrics, status, and the watch list.
 *
 * With `admin.token` everything but `/livez` and `/readyz` asks for it, as a Bearer token or, for browsers, as the
 * password of a Basic login with any name. The probes stay open: an orchestrator's probe can't hold a secret, and they
 * tell nothing but yes or no.
 */
import { hash, timingSafeEqual } from 'node:crypto'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { messageOf } from '../core/errors.js'
import { listen } from '../http-server/listen.js'
import type { Metrics } from './metrics.js'
import type { Status } from './status.js'
import { PAGE_HEADERS, statusPage } from './status-page.js'
import { readWatchRequest, type WatchHandler } from './watch-request.js'

/** `admin` of the configuration. */
export interface AdminServerOptions {
  readonly host: string
  readonly port: number
  readonly token?: string | undefined
}

export interface AdminServerDeps {
  readonly status: Pick<Status, 'snapshot' | 'unready'>
  readonly metrics: Pick<Metrics, 'text' | 'registry'>
  readonly watch: WatchHandler
  readonly log: { error(facts: object, message: string): void }
}

interface Answer {
  readonly code: number
  readonly body: string
  readonly headers?: Readonly<Record<string, string>>
}

const TEXT = { 'content-type': 'text/plain; charset=utf-8' }
const JSON_TYPE = { 'content-type': 'application/json; charset=utf-8' }
const WATCH = /^\/sources\/(?<source>[^/]+)\/watch$/

export class AdminServer {
  readonly #options: AdminServerOptions
  readonly #deps: AdminServerDeps
  readonly #server: Server

  constructor(options: AdminServerOptions, deps: AdminServerDeps) {
    this.#options = options
    this.#deps = deps
    this.#server = createServer({ requestTimeout: 30_000 }, (req, res) => void this.#serve(req, res))
  }

  /** @throws ConnectorError CONFIG_INVALID: the port can't be opened */
  listen(): Promise<AddressInfo> {
    return listen(this.#server, this.#options.host, this.#options.port, 'admin')
  }

  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()))
    this.#server.closeAllConnections()
    await closed
  }

  async #serve(req: IncomingMessage, res: ServerResponse): Promise<void> {
    let answer: Answer
    try {
      answer = await this.#answer(req)
    } catch (error) {
      this.#deps.log.error({ err: error }, 'unexpected error on the admin port')
      answer = { code: 500, body: `${messageOf(error)}\n` }
    }
    const { code, body, headers = TEXT } = answer
    res.writeHead(code, { 'cache-control': 'no-store', 'x-content-type-options': 'nosniff', ...headers })
    res.end(req.method === 'HEAD' ? undefined : body)
  }

  #answer(req: IncomingMessage): Answer | Promise<Answer> {
    const path = (req.url ?? '').replace(/\?.*$/s, '')
    const watch = WATCH.exec(path)?.groups?.['source']
    const page = this.#page(path)
    if (page === undefined && watch === undefined) return { code: 404, body: 'there is nothing here\n' }
    const open = path === '/livez' || path === '/readyz'
    if (!open && !this.#admits(req.headers.authorization)) {
      const challenge = 'Bearer realm="admin", Basic realm="admin"'
      return { code: 401, body: 'admin.token is asked for\n', headers: { ...TEXT, 'www-authenticate': challenge } }
    }
    const allow = watch === undefined ? 'GET, HEAD' : 'POST'
    if (!allow.split(', ').includes(req.method ?? '')) {
      return { code: 405, body: `only ${allow}\n`, headers: { ...TEXT, allow } }
    }
    return watch === undefined ? (page?.() ?? { code: 404, body: '' }) : this.#watch(req, watch)
  }

  #page(path: string): (() => Answer | Promise<Answer>) | undefined {
    const { status, metrics } = this.#deps
    switch (path) {
      case '/livez':
        return () => ({ code: 200, body: 'ok\n' })
      case '/readyz':
        return () => {
          const reason = status.unready()
          return reason === null ? { code: 200, body: 'ok\n' } : { code: 503, body: `${reason}\n` }
        }
      case '/metrics':
        return async () => ({
          code: 200,
          body: await metrics.text(),
          headers: { 'content-type': metrics.registry.contentType },
        })
      case '/status.json':
        return () => ({ code: 200, body: `${JSON.stringify(status.snapshot(), null, 2)}\n`, headers: JSON_TYPE })
      case '/':
        return () => ({ code: 200, body: statusPage(status.snapshot()), headers: PAGE_HEADERS })
      default:
        return undefined
    }
  }

  async #watch(req: IncomingMessage, segment: string): Promise<Answer> {
    const json = (code: number, value: object): Answer => ({
      code,
      body: `${JSON.stringify(value)}\n`,
      headers: code === 503 ? { ...JSON_TYPE, 'retry-after': '10' } : JSON_TYPE,
    })
    const asked = await readWatchRequest(req)
    if ('problem' in asked) return json(400, { error: asked.problem })
    let source: string
    try {
      source = decodeURIComponent(segment)
    } catch {
      return json(404, { error: 'no such source' })
    }
    try {
      const result = await this.#deps.watch(source, asked.messageIds)
      if (result === 'accepted') return json(202, { accepted: asked.messageIds.length })
      return json(404, { error: `no source '${source}' that is reconciled` })
    } catch (error) {
      this.#deps.log.error({ err: error, source }, 'the watch list could not be written')
      return json(503, { error: messageOf(error) })
    }
  }

  #admits(authorization: string | undefined): boolean {
    const { token } = this.#options
    if (!token) return true
    const [scheme = '', value = ''] = (authorization ?? '').split(/ +/, 2)
    if (scheme.toLowerCase() === 'bearer') return same(value, token)
    if (scheme.toLowerCase() !== 'basic') return false
    const pair = Buffer.from(value, 'base64').toString('utf8')
    return pair.includes(':') && same(pair.slice(pair.indexOf(':') + 1), token)
  }
}

const same = (a: string, b: string): boolean =>
  timingSafeEqual(hash('sha256', a, 'buffer'), hash('sha256', b, 'buffer'))
