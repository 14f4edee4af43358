/**
 * The HTTP server for operators: probes, metrics, status, and additions to the watch list.
 *
 * With `admin.token` every path but `/livez` and `/readyz` requires it, as a Bearer token or, for browsers, as the
 * password of a Basic login with any user name. The probes stay open, because the probe of an orchestrator can't keep a
 * secret, and they reveal nothing but readiness.
 *
 * Requests that change something must be of a program: JSON, and without the headers that browsers add. Without a token on a
 * loopback address every other path demands a Host of this machine as well. On other addresses the Host is not checked, because
 * probes, Prometheus and proxies name the server in many ways.
 */
import { hash, timingSafeEqual } from 'node:crypto'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Config } from '../config/types.js'
import { ConnectorError, messageOf } from '../core/errors.js'
import type { Log } from '../core/log.js'
import { ConnectionTable } from '../http-server/connections.js'
import { listen } from '../http-server/listen.js'
import { isLocalHostHeader, isLoopback } from '../http-server/local-host.js'
import { hideSecretsInOutput } from '../masking/known-secrets.js'
import { type EntriesHandler, JOURNAL_HEADER, readEntriesRequest } from './entries-request.js'
import type { Metrics } from './metrics.js'
import type { Status } from './status.js'
import { reportStatus } from './problems.js'
import { renderRunbookPage } from './page/runbook-page.js'
import { PAGE_HEADERS, renderStatusPage } from './page/status-page.js'
import { JsonBodies, type RequestProblem } from './request-body.js'
import { readWatchRequest, type WatchHandler } from './watch-request.js'

export interface AdminServerDeps {
  readonly status: Pick<Status, 'snapshot' | 'history' | 'unreadyReason'>
  readonly metrics: Pick<Metrics, 'registry'>
  readonly addToWatchList: WatchHandler
  readonly handInEntries: EntriesHandler
  readonly log: Pick<Log, 'error'>
}

interface Answer {
  readonly code: number
  readonly body: string
  readonly headers?: Readonly<Record<string, string>>
}

const REQUEST_TIMEOUT_MS = 30_000
/** Probes come on connections of their own, for which the oldest ones of whoever holds the most give way. */
const CONNECTION_LIMITS = { maxConnections: 64, maxUnprovedPerCaller: 32 }
const TEXT = { 'content-type': 'text/plain; charset=utf-8' }
const JSON_TYPE = { 'content-type': 'application/json; charset=utf-8' }
const PROBES = ['/livez', '/readyz']
const ENTRIES_PATH = '/journal/entries'
const WATCH_PATH = /^\/sources\/(?<source>[^/]+)\/watch$/

export class AdminServer {
  #options: Config['admin']
  readonly #deps: AdminServerDeps
  readonly #server: Server
  readonly #bodies = new JsonBodies()
  readonly #connections = new ConnectionTable(CONNECTION_LIMITS, { monotonic: () => performance.now() })

  constructor(options: Config['admin'], deps: AdminServerDeps) {
    this.#options = options
    this.#deps = deps
    this.#server = createServer({ requestTimeout: REQUEST_TIMEOUT_MS }, (req, res) => void this.#handle(req, res))
    this.#connections.watch(this.#server)
  }

  /** @throws ConnectorError CONFIG_INVALID: the port can't be opened */
  listen(): Promise<AddressInfo> {
    return listen(this.#server, this.#options.host, this.#options.port, 'admin')
  }

  /** Takes another token. Host and port must stay. */
  reconfigure(options: Config['admin']): void {
    this.#options = options
  }

  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()))
    this.#server.closeAllConnections()
    await closed
  }

  async #handle(req: IncomingMessage, res: ServerResponse): Promise<void> {
    this.#connections.connectionOf(req.socket).track(res)
    let answer: Answer
    try {
      answer = await this.#answer(req)
    } catch (error) {
      // The client has gone before it sent the whole body. That is no fault of the connector, and nobody waits for an answer.
      if (!req.complete && req.errored) return
      this.#deps.log.error(
        { event: 'admin-request-failed', err: error },
        'the admin server failed to handle a request and answered it with 500',
      )
      answer = { code: 500, body: `${messageOf(error)}\n` }
    }
    const { code, body, headers = TEXT } = answer
    res.writeHead(code, { 'cache-control': 'no-store', 'x-content-type-options': 'nosniff', ...headers })
    // A text of others may be in any answer. Each is without secrets already, and this is the one place that no answer can miss.
    res.end(req.method === 'HEAD' ? undefined : hideSecretsInOutput(body))
  }

  #answer(req: IncomingMessage): Answer | Promise<Answer> {
    const path = (req.url ?? '').replace(/\?.*$/s, '')
    const watchedSource = WATCH_PATH.exec(path)?.groups?.['source']
    const answer =
      watchedSource !== undefined
        ? () => this.#watch(req, watchedSource)
        : path === ENTRIES_PATH
          ? () => this.#handIn(req)
          : this.#pageAt(path)
    if (answer === undefined) return { code: 404, body: 'there is nothing here\n' }
    if (!PROBES.includes(path) && !this.#isAuthorised(req.headers.authorization)) {
      const challenge = 'Bearer realm="admin", Basic realm="admin"'
      return { code: 401, body: 'admin.token is asked for\n', headers: { ...TEXT, 'www-authenticate': challenge } }
    }
    if (!PROBES.includes(path) && !this.#mayHaveHost(req.headers.host)) {
      const problem = 'without admin.token this port is for this machine: call it as 127.0.0.1 or localhost'
      return { code: 403, body: `${problem}\n` }
    }
    // A connection on which work is done is not one that gives way to others.
    if (this.#options.token !== undefined) this.#connections.markProved(this.#connections.connectionOf(req.socket))
    const methods = watchedSource === undefined && path !== ENTRIES_PATH ? ['GET', 'HEAD'] : ['POST']
    if (!methods.includes(req.method ?? '')) {
      const allow = methods.join(', ')
      return { code: 405, body: `only ${allow}\n`, headers: { ...TEXT, allow } }
    }
    return answer()
  }

  #pageAt(path: string): (() => Answer | Promise<Answer>) | undefined {
    const { status, metrics } = this.#deps
    const pages: Readonly<Record<string, () => Answer | Promise<Answer>>> = {
      '/livez': () => ({ code: 200, body: 'ok\n' }),
      '/readyz': () => {
        const reason = status.unreadyReason()
        return reason === null ? { code: 200, body: 'ok\n' } : { code: 503, body: `${reason}\n` }
      },
      '/metrics': async () => ({
        code: 200,
        body: await metrics.registry.metrics(),
        headers: { 'content-type': metrics.registry.contentType },
      }),
      '/status.json': () => ({
        code: 200,
        body: `${JSON.stringify(reportStatus(status.snapshot()), null, 2)}\n`,
        headers: JSON_TYPE,
      }),
      '/runbook': () => ({ code: 200, body: renderRunbookPage(), headers: PAGE_HEADERS }),
      '/': () => ({
        code: 200,
        body: renderStatusPage(reportStatus(status.snapshot()), status.history()),
        headers: PAGE_HEADERS,
      }),
    }
    return Object.hasOwn(pages, path) ? pages[path] : undefined
  }

  async #handIn(req: IncomingMessage): Promise<Answer> {
    const { id } = this.#deps.status.snapshot().journal
    const wanted = req.headers[JOURNAL_HEADER] ?? id
    try {
      const result = await readEntriesRequest<{ accepted: number } | RequestProblem>(
        req,
        this.#bodies,
        async (entries) => {
          if (wanted !== id) return { code: 409, problem: describeOtherJournal(String(wanted), id) }
          await this.#deps.handInEntries(entries)
          return { accepted: entries.length }
        },
      )
      return 'problem' in result ? json(result.code, { error: result.problem }) : json(202, result)
    } catch (error) {
      if (!(error instanceof ConnectorError)) throw error
      return json(503, { error: messageOf(error) })
    }
  }

  async #watch(req: IncomingMessage, encodedSource: string): Promise<Answer> {
    const request = await readWatchRequest(req, this.#bodies)
    if ('problem' in request) return json(request.code, { error: request.problem })
    const { messageIds } = request
    let source: string
    try {
      source = decodeURIComponent(encodedSource)
    } catch {
      return json(404, { error: 'no such source' })
    }
    try {
      const result = await this.#deps.addToWatchList(source, messageIds)
      if (result === 'accepted') return json(202, { accepted: messageIds.length })
      if (result === 'too-many') {
        return json(429, { error: 'too many messages are watched (journal.maxWatchedMessages); send them again later' })
      }
      return json(404, { error: `no source '${source}' that is reconciled` })
    } catch (error) {
      this.#deps.log.error(
        { event: 'watch-request-failed', err: error, source },
        'the watch list could not be written, and the request was answered with 503; the journal or its disk refuses writes',
      )
      return json(503, { error: messageOf(error) })
    }
  }

  #mayHaveHost(header: string | undefined): boolean {
    const { token, host } = this.#options
    return token !== undefined || !isLoopback(host) || isLocalHostHeader(header)
  }

  #isAuthorised(authorization = ''): boolean {
    const { token } = this.#options
    if (!token) return true
    const [scheme = '', credentials = ''] = authorization.split(/ +/, 2)
    if (scheme.toLowerCase() === 'bearer') return isOneOf(credentials, token)
    if (scheme.toLowerCase() !== 'basic') return false
    const pair = Buffer.from(credentials, 'base64').toString('utf8')
    return pair.includes(':') && isOneOf(pair.slice(pair.indexOf(':') + 1), token)
  }
}

const describeOtherJournal = (wanted: string, id: string): string =>
  `what is handed in is meant for journal ${wanted}, and this connector holds journal ${id}`

const json = (code: number, value: object): Answer => ({
  code,
  body: `${JSON.stringify(value)}\n`,
  headers: code === 503 || code === 429 ? { ...JSON_TYPE, 'retry-after': '10' } : JSON_TYPE,
})

/** Compares with every token, so that the time does not tell which of them it was. */
const isOneOf = (given: string, tokens: readonly string[]): boolean =>
  tokens.filter((token) => isEqual(given, token)).length > 0

/** Compares in constant time, so that the time of an answer reveals nothing about the token. */
const isEqual = (a: string, b: string): boolean =>
  timingSafeEqual(hash('sha256', a, 'buffer'), hash('sha256', b, 'buffer'))
