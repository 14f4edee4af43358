/**
 * Takes callbacks into custody. A provider calls once, or repeats a call for a few days, so a 200 means exactly one thing:
 * the request is on disk (invariant 1). Kafka and the schema registry have no part in it.
 *
 * The server is plain node:http, because which answer is given when, and that it reaches a caller that is still sending, is
 * what this product promises.
 *
 *     headers -> guards of the source -> body -> signature -> journal.append -> 200
 *                      `-> 401             `-> 413    `-> 401        `-> 503, or 401 for a nonce that was used before
 */
import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo, Socket } from 'node:net'
import { Server as TlsServer } from 'node:tls'
import type { CallbacksConfig, SourceConfig } from '../config/types.js'
import { orTimeout } from '../core/abort.js'
import type { Clock } from '../core/clock.js'
import { codeOf, hasCode } from '../core/errors.js'
import type { Log } from '../core/log.js'
import type { CallbackObserver, CallbackRefusalReason } from '../core/observers.js'
import type { RequestFacts } from '../core/received.js'
import type { RequestSpan, Tracing } from '../core/tracing.js'
import { listen } from '../http-server/listen.js'
import type { Journal, NewEntry, Nonce } from '../journal/journal.js'
import { clientAddress } from './addresses.js'
import { Guards, type RejectionReason, unknownSourceGuards } from './authentication.js'
import { BodyBudget, readBody } from './body.js'
import { refuseWhileSending, UnparsableRequests } from './refusal.js'
import { parseTarget, type Target } from './request-target.js'
import { ThrottledLog } from './throttled-log.js'

/** `callbacks` of the configuration, and its sources. Those without a section `callback` are ignored. */
export interface CallbackServerOptions extends Omit<CallbacksConfig, 'drainDelay'> {
  readonly sources: Iterable<Pick<SourceConfig, 'name' | 'provider' | 'callback'>>
}

export interface CallbackServerDeps {
  readonly journal: Pick<Journal, 'append'>
  readonly clock: Clock
  readonly log: Log
  readonly observer: CallbackObserver
  readonly tracing?: Tracing | undefined
}

interface Source {
  readonly name: string
  readonly provider: string
  /** The path of its callbacks without the token, as journaled. */
  readonly path: string
  readonly guards: Guards
  /** Whether a caller that is accepted has proved anything. */
  readonly isAuthenticated: boolean
  readonly answer: AcceptedAnswer
}

/** The answer to a callback that is in custody. */
interface AcceptedAnswer {
  readonly status: number
  readonly headers: HeaderFields
  readonly body: Buffer | undefined
}

/** A request to a source, from the end of its headers to its answer. */
interface Call {
  readonly req: IncomingMessage
  readonly res: ServerResponse
  readonly source: Source
  readonly target: Target
  /** Monotonic milliseconds. */
  readonly startedAt: number
}

/** A thousand callers with a megabyte each must not end the process, which may hold a page that exists nowhere else. */
const MIN_BODY_BUDGET_BYTES = 256 * 1024 * 1024

const SERVER_OPTIONS = {
  /** The largest request line and headers together. */
  maxHeaderSize: 64 * 1024,
  /** A slow caller holds its socket and the bytes that it has sent, and nothing else, until these limits. */
  headersTimeout: 20_000,
  requestTimeout: 120_000,
  connectionsCheckingInterval: 5_000,
  /** Callers keep connections open between bursts, for about a minute. The server must not be the first to close one. */
  keepAliveTimeout: 75_000,
  /** HTTP/1.1 requires the header, but a callback without it comes only once as well. */
  requireHostHeader: false,
}

type HeaderFields = Readonly<Record<string, string>>
const CLOSE: HeaderFields = { connection: 'close' }
/** The statuses of refusals, with the header fields that belong to each. */
const REFUSAL_HEADERS = {
  /** RFC 9110, section 15.5.2, requires a challenge with every 401. It is always the same, so it reveals nothing. */
  401: { 'www-authenticate': 'Basic realm="callbacks"' },
  404: {},
  405: { allow: 'GET, POST' },
  413: {},
  503: { 'retry-after': '10' },
} as const satisfies Readonly<Record<number, HeaderFields>>
type RefusalCode = keyof typeof REFUSAL_HEADERS
const EMPTY_BODY = new Uint8Array(0)

export class CallbackServer {
  #options: CallbackServerOptions
  readonly #deps: CallbackServerDeps
  #sources: ReadonlyMap<string, Source>
  readonly #unknownSource: Source = {
    name: '',
    provider: '',
    path: '',
    guards: unknownSourceGuards(),
    isAuthenticated: false,
    answer: answerOf(undefined),
  }
  readonly #log: ThrottledLog
  readonly #server: Server
  readonly #bodyBudget: BodyBudget
  readonly #unparsable = new UnparsableRequests()
  #isDraining = false

  constructor(options: CallbackServerOptions, deps: CallbackServerDeps) {
    this.#options = options
    this.#deps = deps
    this.#log = new ThrottledLog(deps.log, deps.clock)
    this.#bodyBudget = new BodyBudget(bodyBudgetOf(options))
    this.#sources = sourcesOf(options)
    this.#server = createHttpServer(options.tls, (req, res) => this.#handle(req, res, false))
    this.#server.on('checkContinue', (req: IncomingMessage, res: ServerResponse) => this.#handle(req, res, true))
    this.#server.on('checkExpectation', (req: IncomingMessage, res: ServerResponse) => this.#handle(req, res, false))
    this.#server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
      const code = this.#unparsable.refuse(error, socket as Socket)
      if (code !== undefined) deps.observer.answered('', code, 'malformed')
    })
  }

  /** @throws ConnectorError CONFIG_INVALID if the port can't be opened */
  listen(): Promise<AddressInfo> {
    return listen(this.#server, this.#options.host, this.#options.port, 'callbacks')
  }

  /**
   * Takes over other sources, guards, limits and certificates. Requests whose headers have arrived are handled as before, and
   * connections stay open. Host and port must stay, and whether the server speaks TLS and asks for client certificates.
   */
  reconfigure(options: CallbackServerOptions): void {
    this.#options = options
    this.#bodyBudget.resize(bodyBudgetOf(options))
    this.#sources = sourcesOf(options)
    if (options.tls === undefined || !(this.#server instanceof TlsServer)) return
    this.#server.setSecureContext({ ...options.tls, ca: options.tls.clientCa })
  }

  /** Still accepts callbacks, and closes each connection after its next answer, so that callers connect elsewhere. */
  drain(): void {
    this.#isDraining = true
  }

  /**
   * Accepts no further connections, and answers the requests that have arrived.
   * @param graceMs after it the remaining connections are closed; callers whose request is not answered repeat it
   */
  async close(graceMs: number): Promise<void> {
    this.#isDraining = true
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()))
    this.#server.closeIdleConnections()
    if ((await orTimeout(closed, graceMs, this.#deps.clock)) === 'timeout') this.#server.closeAllConnections()
    await closed
  }

  #handle(req: IncomingMessage, res: ServerResponse, expectsContinue: boolean): void {
    const startedAt = this.#deps.clock.monotonic()
    this.#unparsable.track(req.socket, res)
    const target = parseTarget(req.url ?? '')
    if (target === undefined) return this.#refuse(req, res, 404, 'path', '')
    const source = this.#sources.get(target.source) ?? this.#unknownSource
    const { method, headers, socket } = req
    if (method !== 'GET' && method !== 'POST') return this.#refuse(req, res, 405, 'method', source.name)
    const call: Call = { req, res, source, target, startedAt }
    const rejection = source.guards.rejectionReason({
      address: clientAddress(socket.remoteAddress, headers['x-forwarded-for'], this.#options.trustProxy),
      token: target.token,
      authorization: headers.authorization,
    })
    if (rejection !== null) return this.#reject(call, rejection)
    const length = headers['content-length']
    const hasNoBody = length === undefined ? headers['transfer-encoding'] === undefined : length === '0'
    if (hasNoBody) return this.#verifyAndStore(call, EMPTY_BODY)
    if (Number(length ?? 0) > this.#options.bodyLimit) return this.#refuse(req, res, 413, 'body-too-large', source.name)
    if (expectsContinue) res.writeContinue()
    readBody(req, res, this.#options.bodyLimit, this.#bodyBudget, (body) => {
      if (body === 'too-large') this.#refuse(req, res, 413, 'body-too-large', source.name)
      else if (body === 'no-memory') this.#refuse(req, res, 503, 'no-memory', source.name)
      else this.#verifyAndStore(call, body)
    })
  }

  #verifyAndStore(call: Call, body: Uint8Array): void {
    const { headers, method = '' } = call.req
    const now = this.#deps.clock.now()
    const result = call.source.guards.verifySignature(
      {
        method,
        target: call.target.asSent,
        body,
        signature: headers['x-signature'] as string | undefined,
        timestamp: headers['x-timestamp'] as string | undefined,
        nonce: headers['x-nonce'] as string | undefined,
      },
      now,
    )
    if (!result.isValid) return this.#reject(call, result.reason)
    const { name: source, provider, isAuthenticated } = call.source
    const entry: NewEntry = { source, provider, via: 'CALLBACK', receivedAt: now, facts: factsOf(call), body }
    // Only requests that are accepted are traced: what a caller that has proved nothing sends starts no span.
    const span = this.#deps.tracing?.startCallback({
      source,
      provider,
      method,
      traceparent: headers['traceparent'] as string | undefined,
      isAuthenticated,
      startedAt: call.startedAt,
    })
    this.#store(call, span ? { ...entry, traceparent: span.traceparent } : entry, result.nonce, span)
  }

  #store(call: Call, entry: NewEntry, nonce: Nonce | undefined, span: RequestSpan | undefined): void {
    this.#deps.journal.append(entry, nonce).then(
      () => {
        this.#confirm(call) // Invariant 1: the caller gets its 2xx only when the entry is durable.
        span?.end({ status: call.source.answer.status })
      },
      (error: unknown) => {
        if (hasCode(error, 'NONCE_SEEN')) return this.#reject(call, 'nonce')
        span?.end({ status: 503, error: codeOf(error) })
        this.#log.journalRefused(error)
        this.#refuse(call.req, call.res, 503, 'journal-refuses', call.source.name)
      },
    )
  }

  #confirm({ res, source, startedAt }: Call): void {
    const { observer, clock } = this.#deps
    const { status, headers, body } = source.answer
    res.writeHead(status, { ...headers, ...this.#connectionHeaders }).end(body)
    observer.custodyTaken((clock.monotonic() - startedAt) / 1_000)
    observer.answered(source.name, status)
    this.#log.journalAccepted()
  }

  #reject({ req, res, source }: Call, reason: RejectionReason): void {
    const isKnown = source !== this.#unknownSource
    if (isKnown) this.#log.callbackRejected(source.name, reason)
    this.#refuse(req, res, 401, isKnown ? reason : 'unknown-source', source.name)
  }

  #refuse(
    req: IncomingMessage,
    res: ServerResponse,
    code: RefusalCode,
    reason: CallbackRefusalReason,
    source: string,
  ): void {
    const headers = REFUSAL_HEADERS[code]
    this.#deps.observer.answered(source, code, reason)
    const hasBody = (req.headers['content-length'] ?? req.headers['transfer-encoding']) !== undefined
    if (hasBody && !req.complete) return refuseWhileSending(req, res, code, headers)
    res.writeHead(code, { ...headers, 'content-length': '0', ...this.#connectionHeaders }).end()
  }

  get #connectionHeaders(): HeaderFields {
    return this.#isDraining ? CLOSE : {}
  }
}

const bodyBudgetOf = ({ bodyLimit }: CallbackServerOptions): number => Math.max(MIN_BODY_BUDGET_BYTES, 2 * bodyLimit)

/** The sources that take callbacks, by name. */
const sourcesOf = ({ sources }: CallbackServerOptions): ReadonlyMap<string, Source> => {
  const found = new Map<string, Source>()
  for (const { name, provider, callback } of sources) {
    if (callback === undefined) continue
    found.set(name, {
      name,
      provider,
      path: `/callbacks/${name}`,
      guards: new Guards(name, callback),
      isAuthenticated: !callback.open,
      answer: answerOf(callback.answer),
    })
  }
  return found
}

/** The facts leave out everything that would let others in: the token, the Authorization header and the signature. */
const factsOf = ({ req, source, target }: Call): RequestFacts => {
  const { 'content-type': type, 'content-encoding': encoding } = req.headers
  return {
    method: req.method ?? '',
    path: source.path,
    query: target.query,
    ...(type === undefined ? {} : { 'content-type': type }),
    ...(encoding === undefined ? {} : { 'content-encoding': encoding }),
  }
}

/** RFC 9110, section 8.6, forbids Content-Length with 204. */
const NO_CONTENT = 204
const DEFAULT_CONTENT_TYPE = 'text/plain; charset=utf-8'

/** @param config `callback.answer` of the source */
const answerOf = (config: NonNullable<SourceConfig['callback']>['answer']): AcceptedAnswer => {
  const { status = 200, contentType = DEFAULT_CONTENT_TYPE, body: text } = config ?? {}
  if (text === undefined) {
    return { status, headers: status === NO_CONTENT ? {} : { 'content-length': '0' }, body: undefined }
  }
  const body = Buffer.from(text)
  return { status, headers: { 'content-type': contentType, 'content-length': String(body.length) }, body }
}

/** Creates the HTTP or HTTPS server behind the callbacks port. With `clientCa`, callers must present a certificate. */
const createHttpServer = (tls: CallbacksConfig['tls'], listener: RequestListener): Server => {
  const server =
    tls === undefined
      ? createServer(SERVER_OPTIONS, listener)
      : createTlsServer(
          { ...SERVER_OPTIONS, ...tls, ca: tls.clientCa, requestCert: tls.clientCa !== undefined },
          listener,
        )
  // By default Node silently drops headers after the 2000th, which may be those that authenticate the caller.
  server.maxHeadersCount = 0
  return server
}
