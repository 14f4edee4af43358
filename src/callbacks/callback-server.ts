/**
 * Takes callbacks into custody. A provider calls once, or repeats a call for a few days, so a 200 means exactly one thing:
 * the request is on disk (invariant 1). Kafka and the schema registry have no part in it.
 *
 * The server is plain node:http, because which answer is given when, and that it reaches a caller that is still sending, is
 * what this product promises.
 *
 *     headers -> guards of the source -> body -> signature -> journal.append -> 200
 *                      `-> 401             `-> 413    `-> 401        `-> 503, or 401 for a nonce that was used before
 *                                                     `-> 503 while the certificate of a signature can't be fetched
 *
 * Callers who have proved nothing share a room for bodies, have their connections closed first when there are too many, and get
 * 429 when they are refused too often. Those who have proved who they are get 503 only if their callback can't be taken.
 */
import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo, Socket } from 'node:net'
import { Server as TlsServer } from 'node:tls'
import { isDeepStrictEqual } from 'node:util'
import type { CallbacksConfig, SourceConfig } from '../config/types.js'
import { orTimeout } from '../core/abort.js'
import type { Clock } from '../core/clock.js'
import { codeOf, hasCode } from '../core/errors.js'
import type { Log } from '../core/log.js'
import type { CallbackObserver, CallbackRefusalReason } from '../core/observers.js'
import type { RequestFacts } from '../core/received.js'
import type { RequestSpan, Tracing } from '../core/tracing.js'
import { callerKey, clientAddress } from '../http-server/addresses.js'
import { type Connection, type ConnectionLimits, ConnectionTable } from '../http-server/connections.js'
import { listen } from '../http-server/listen.js'
import type { Journal, NewEntry, Nonce } from '../journal/journal.js'
import { Guards, type RejectionReason, unknownSourceGuards } from './authentication.js'
import { type BodyProblem, readBody } from './body.js'
import { BodyRoom } from './body-room.js'
import { RefusalCounter } from './refusal-counter.js'
import { refuseUnparsable, refuseWhileSending } from './refusal.js'
import { parseTarget, type Target } from './request-target.js'
import { SnsClient, type SnsClientOptions } from './sns-client.js'
import type { SnsResult } from './sns-verifier.js'
import { ThrottledLog } from './throttled-log.js'

/** `callbacks` of the configuration, and its sources. Those without a section `callback` are ignored. */
export interface CallbackServerOptions extends Omit<CallbacksConfig, 'drainDelay'> {
  /** `callbacks.maxConnections`, or less if the process may not open so many files. */
  readonly maxConnections: number
  readonly sources: Iterable<Pick<SourceConfig, 'name' | 'provider' | 'callback'>>
  /** How the certificates of Amazon SNS are fetched. */
  readonly sns?: SnsClientOptions
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
  readonly connection: Connection
  readonly source: Source
  readonly target: Target
  /** Monotonic milliseconds. */
  readonly startedAt: number
}

/**
 * A thousand callers with a megabyte each must not end the process, which may hold a page that exists nowhere else. Callers who
 * have proved nothing before their body is read have a room of their own.
 */
const MIN_BODY_ROOM_BYTES = { proved: 192 * 1024 * 1024, unproved: 64 * 1024 * 1024 }
/** One caller has at most this part of all connections while it has proved nothing on them. */
const UNPROVED_CONNECTIONS_SHARE = 1 / 8
/** How long the server counts as refusing callbacks after one that found no room. */
const NO_ROOM_REPORTED_MS = 5_000

const SERVER_OPTIONS = {
  /** The largest request line and headers together. */
  maxHeaderSize: 64 * 1024,
  /** A slow caller holds its socket and the bytes that it has sent, and nothing else, until these limits. */
  headersTimeout: 20_000,
  requestTimeout: 120_000,
  connectionsCheckingInterval: 5_000,
  /** Of TLS. It has no effect without. */
  handshakeTimeout: 20_000,
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
  /** The caller is to come back later, on another connection. */
  429: { 'retry-after': '60' },
  503: { 'retry-after': '10' },
} as const satisfies Readonly<Record<number, HeaderFields>>
/** Whether a caller has proved who it is before its body is read. */
type Proof = 'proved' | 'unproved'
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
  readonly #connections: ConnectionTable
  readonly #rooms: Readonly<Record<Proof, BodyRoom>>
  readonly #refusals: RefusalCounter
  #sns: SnsClient
  #isDraining = false
  /** When a callback found no room, in monotonic milliseconds. */
  #noRoomAt = -Infinity

  constructor(options: CallbackServerOptions, deps: CallbackServerDeps) {
    this.#options = options
    this.#deps = deps
    this.#log = new ThrottledLog(deps.log, deps.clock)
    const proved = new BodyRoom(bodyRoomBytes(options, 'proved'))
    this.#rooms = { proved, unproved: new BodyRoom(bodyRoomBytes(options, 'unproved')) }
    this.#refusals = new RefusalCounter(deps.clock)
    this.#connections = new ConnectionTable(connectionLimits(options), {
      monotonic: () => deps.clock.monotonic(),
      onDisplaced: () => deps.observer.answered('', 429, 'too-many-connections'),
    })
    this.#sns = new SnsClient(options.sns ?? {}, deps)
    this.#sources = this.#sourcesOf(options)
    this.#server = createHttpServer(options.tls, (req, res) => this.#handle(req, res, false))
    this.#connections.watch(this.#server)
    this.#server.on('secureConnection', (stream: Socket) => {
      if (this.#hasClientCertificates) this.#connections.markProved(this.#connections.connectionOf(stream))
    })
    this.#server.on('checkContinue', (req: IncomingMessage, res: ServerResponse) => this.#handle(req, res, true))
    this.#server.on('checkExpectation', (req: IncomingMessage, res: ServerResponse) => this.#handle(req, res, false))
    this.#server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
      const code = refuseUnparsable(error, socket as Socket, this.#connections.connectionOf(socket as Socket))
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
    if (!isDeepStrictEqual(this.#options.sns, options.sns)) {
      // The requests under way fail, and SNS repeats what they were needed for.
      void this.#sns.close()
      this.#sns = new SnsClient(options.sns ?? {}, this.#deps)
    }
    this.#options = options
    this.#connections.resize(connectionLimits(options))
    for (const proof of ['proved', 'unproved'] as const) this.#rooms[proof].resize(bodyRoomBytes(options, proof))
    this.#sources = this.#sourcesOf(options)
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
    await this.#sns.close()
  }

  /** Why callbacks are refused although the journal takes them; null while none is. */
  refusalReason(): string | null {
    const isRecent = this.#deps.clock.monotonic() - this.#noRoomAt < NO_ROOM_REPORTED_MS
    return isRecent ? 'callbacks that wait for the disk take all memory that is set aside for bodies' : null
  }

  /** What connections and bodies take now. */
  usage(): {
    readonly connections: number
    readonly maxConnections: number
    readonly bodyBytes: Record<Proof, number>
  } {
    const { proved, unproved } = this.#rooms
    return {
      connections: this.#connections.size,
      maxConnections: this.#options.maxConnections,
      bodyBytes: { proved: proved.usedBytes, unproved: unproved.usedBytes },
    }
  }

  /** The sources that take callbacks, by name. */
  #sourcesOf({ sources }: CallbackServerOptions): ReadonlyMap<string, Source> {
    const found = new Map<string, Source>()
    const snsDeps = { client: this.#sns, log: this.#deps.log }
    for (const { name, provider, callback } of sources) {
      if (callback === undefined) continue
      found.set(name, {
        name,
        provider,
        path: `/callbacks/${name}`,
        guards: new Guards(name, callback, snsDeps),
        isAuthenticated: !callback.open,
        answer: answerOf(callback.answer),
      })
    }
    return found
  }

  #handle(req: IncomingMessage, res: ServerResponse, expectsContinue: boolean): void {
    const { method, socket } = req
    const connection = this.#connections.connectionOf(socket)
    // An answer to what is sent behind the announcement would never reach its caller, who repeats it on another connection.
    if (connection.isClosing) return
    const startedAt = this.#deps.clock.monotonic()
    connection.track(res)
    const target = parseTarget(req.url ?? '')
    if (target === undefined) return this.#refuse({ req, res, connection }, 404, 'path', '')
    const source = this.#sources.get(target.source) ?? this.#unknownSource
    if (method !== 'GET' && method !== 'POST') {
      return this.#refuse({ req, res, connection }, 405, 'method', source.name)
    }
    const call: Call = { req, res, connection, source, target, startedAt }
    this.#attempt(call, () => this.#authenticate(call, expectsContinue))
  }

  /**
   * Runs a step that reads what a caller has sent. An error in it is a fault of the connector. It must not end the process, which
   * may hold a page that exists nowhere else, so only this caller gets 503.
   */
  #attempt(call: Call, step: () => void): void {
    try {
      step()
    } catch (error) {
      this.#fail(call, error)
    }
  }

  #fail(call: Call, error: unknown): void {
    this.#log.callbackFailed(call.source.name, error)
    if (call.res.headersSent) call.res.destroy()
    else this.#refuse(call, 503, 'internal-error', call.source.name)
  }

  #authenticate(call: Call, expectsContinue: boolean): void {
    const { req, res, connection, source, target } = call
    const { headers, socket } = req
    const address = clientAddress(socket.remoteAddress, headers['x-forwarded-for'], this.#options.trustProxy)
    const rejection =
      source.guards.rejectionReason({ address, token: target.token, authorization: headers.authorization }) ??
      source.guards.signatureRejectionReason(headers, this.#deps.clock.now())
    if (rejection !== null) return this.#reject(call, rejection)
    const isProved = this.#isProvedByHeaders(source)
    if (isProved) this.#connections.markProved(connection)
    const length = headers['content-length']
    const hasNoBody = length === undefined ? headers['transfer-encoding'] === undefined : length === '0'
    if (hasNoBody) return this.#verifyAndStore(call, EMPTY_BODY)
    if (Number(length ?? 0) > this.#options.bodyLimit) return this.#refuseBody(call, 'too-large')
    if (expectsContinue) res.writeContinue()
    const room = this.#rooms[isProved ? 'proved' : 'unproved']
    const allotment = room.open({ source: source.name, address: address ?? '' })
    readBody(req, res, this.#options.bodyLimit, allotment, (body) => {
      this.#attempt(call, () => {
        if (typeof body === 'string') this.#refuseBody(call, body)
        else this.#verifyAndStore(call, body)
      })
    })
  }

  #refuseBody(call: Call, problem: BodyProblem): void {
    const { name, guards, isAuthenticated } = call.source
    if (problem === 'too-large') {
      // Only the signature, which was not checked, tells whether the caller may know that the source exists.
      const isUnproved = isAuthenticated && !guards.isProvedByHeaders
      return this.#refuse(call, isUnproved ? 401 : 413, 'body-too-large', name)
    }
    if (problem === 'no-memory') this.#noRoomAt = this.#deps.clock.monotonic()
    const isUnproved = problem === 'displaced' && !this.#isProvedByHeaders(call.source)
    this.#refuse(call, isUnproved ? 429 : 503, 'no-memory', name)
  }

  /** Whether a caller that the guards have not rejected has proved who it is before its body is read. */
  #isProvedByHeaders({ guards }: Source): boolean {
    return guards.isProvedByHeaders || this.#hasClientCertificates
  }

  /** Whether every caller has proved who it is by its certificate. */
  get #hasClientCertificates(): boolean {
    return this.#options.tls?.clientCa !== undefined
  }

  #verifyAndStore(call: Call, body: Uint8Array): void {
    const { headers, method = '' } = call.req
    const now = this.#deps.clock.now()
    const signed = { method, target: call.target.asSent, headers, body }
    const result = call.source.guards.verifySignature(signed, now)
    if (!(result instanceof Promise)) return this.#storeIfValid(call, body, now, result)
    result.then(
      (settled) => this.#attempt(call, () => this.#storeIfValid(call, body, now, settled)),
      (error: unknown) => this.#fail(call, error),
    )
  }

  /** @param now when the request arrived, in milliseconds since the epoch */
  #storeIfValid(call: Call, body: Uint8Array, now: number, result: SnsResult): void {
    if (result.isValid === 'unknown') return this.#refuse(call, 503, result.reason, call.source.name)
    if (!result.isValid) return this.#reject(call, result.reason)
    this.#connections.markProved(call.connection)
    const { method = '', headers } = call.req
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
        this.#refuse(call, 503, 'journal-refuses', call.source.name)
      },
    )
  }

  #confirm({ res, connection, source, startedAt }: Call): void {
    const { observer, clock } = this.#deps
    const { status, headers, body } = source.answer
    res.writeHead(status, { ...headers, ...this.#connectionHeaders(connection, res) }).end(body)
    observer.custodyTaken((clock.monotonic() - startedAt) / 1_000)
    observer.answered(source.name, status)
    this.#log.journalAccepted()
  }

  #reject(call: Call, reason: RejectionReason): void {
    const { source } = call
    const isKnown = source !== this.#unknownSource
    if (isKnown) this.#log.callbackRejected(source.name, reason, source.guards.signatureKey)
    else this.#log.unknownSourceRejected()
    this.#refuse(call, 401, isKnown ? reason : 'unknown-source', source.name)
  }

  #refuse(
    { req, res, connection }: Pick<Call, 'req' | 'res' | 'connection'>,
    code: RefusalCode,
    reason: CallbackRefusalReason,
    source: string,
  ): void {
    if (this.#isRefusedTooOften(req, code, reason)) {
      this.#deps.observer.answered(source, 429, 'too-many-requests')
      connection.isClosing = true
      return refuseWhileSending(req, res, 429, REFUSAL_HEADERS[429])
    }
    const headers = REFUSAL_HEADERS[code]
    this.#deps.observer.answered(source, code, reason)
    const hasBody = (req.headers['content-length'] ?? req.headers['transfer-encoding']) !== undefined
    if (hasBody && !req.complete) {
      connection.isClosing = true
      return refuseWhileSending(req, res, code, headers)
    }
    res.writeHead(code, { ...headers, 'content-length': '0', ...this.#connectionHeaders(connection, res) }).end()
  }

  /** Counts a refusal of a caller that has proved nothing. Returns whether there were too many from its address. */
  #isRefusedTooOften(req: IncomingMessage, code: RefusalCode, reason: CallbackRefusalReason): boolean {
    // The nonce of a signature that holds was used before: its caller is known.
    if (!COUNTED_REFUSALS.includes(code) || reason === 'nonce' || this.#hasClientCertificates) return false
    const { maxRefusedPerMinute, trustProxy } = this.#options
    const address = clientAddress(req.socket.remoteAddress, req.headers['x-forwarded-for'], trustProxy)
    return this.#refusals.count(callerKey(address)) > maxRefusedPerMinute
  }

  /** Announces that the connection will be closed, unless a later request on it is being processed, whose answer must follow. */
  #connectionHeaders(connection: Connection, res: ServerResponse): HeaderFields {
    if (!this.#isDraining || !connection.isLast(res)) return {}
    connection.isClosing = true
    return CLOSE
  }
}

/** The refusals of callers who have proved nothing, which are limited for each address. */
const COUNTED_REFUSALS: readonly RefusalCode[] = [401, 404, 405]

const connectionLimits = ({ maxConnections }: CallbackServerOptions): ConnectionLimits => ({
  maxConnections,
  maxUnprovedPerCaller: Math.ceil(maxConnections * UNPROVED_CONNECTIONS_SHARE),
})

const bodyRoomBytes = ({ bodyLimit }: CallbackServerOptions, proof: Proof): number =>
  Math.max(MIN_BODY_ROOM_BYTES[proof], 2 * bodyLimit)

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
