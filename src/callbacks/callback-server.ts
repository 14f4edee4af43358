/**
 * Takes callbacks into custody. A provider calls once, or gives up after a few days, so a 200 means exactly one thing:
 * the request is on disk (invariant 1). Kafka and the registry play no part in it.
 *
 * Plain node:http: which answer is given when, and that it reaches a caller who is still sending, is the product here.
 *
 *     401 <- guards of the source <- headers -> body -> signature -> journal.append -> 200
 *                                                                        `-> 503, and 401 for a nonce that was used
 */
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import type { Clock } from '../core/clock.js'
import { hasCode } from '../core/errors.js'
import type { Journal, NewEntry, Nonce } from '../journal/journal.js'
import { listen } from '../http-server/listen.js'
import type { RequestFacts } from '../core/received.js'
import { clientAddress } from './addresses.js'
import { type CallbackSourceOptions, type RejectionReason, Guards, unknownSourceGuards } from './authentication.js'
import { BodyRoom, readBody } from './body.js'
import { ThrottledLog } from './throttled-log.js'
import { httpServer, type ServerTls } from './http-server.js'
import type { Log } from '../core/log.js'
import type { CallbackObserver } from '../core/observers.js'
import { refuseUnparsed, refuseWhileSending } from './refusal.js'
import { parseTarget, type Target } from './request-target.js'

/** `callbacks` of the configuration; sizes in bytes. */
export interface CallbackServerOptions {
  readonly host: string
  readonly port: number
  readonly bodyLimit: number
  readonly trustProxy: boolean
  readonly tls?: ServerTls | undefined
  readonly sources: readonly CallbackSourceOptions[]
}

export interface CallbackServerDeps {
  readonly journal: Pick<Journal, 'append'>
  readonly clock: Clock
  readonly log: Log
  readonly observer: CallbackObserver
}

interface Source {
  readonly name: string
  readonly provider: string
  readonly path: string
  readonly guards: Guards
}

/** A request between its headers and its answer. */
interface Call {
  readonly req: IncomingMessage
  readonly res: ServerResponse
  readonly source: Source
  readonly target: Target
  /** Monotonic ms. */
  readonly began: number
}

/** Bytes of bodies in memory: a thousand callers with a megabyte each must not end the process that holds a page. */
const BODIES_AT_ONCE = 256 * 1024 * 1024

const OK = { 'content-length': '0' }
const OK_AND_CLOSE = { 'content-length': '0', connection: 'close' }
// RFC 9110, 15.5.2 wants a challenge with every 401; always the same one says nothing about the source.
const UNAUTHORISED = { 'www-authenticate': 'Basic realm="callbacks"' }
const METHODS = { allow: 'GET, POST' }
const LATER = { 'retry-after': '10' }
const NONE = {}
const EMPTY = new Uint8Array(0)

export class CallbackServer {
  readonly #options: CallbackServerOptions
  readonly #deps: CallbackServerDeps
  readonly #sources = new Map<string, Source>()
  readonly #nobody: Source
  readonly #complaints: ThrottledLog
  readonly #server: Server
  readonly #room: BodyRoom
  #leaving = false

  /** @throws ConnectorError CONFIG_INVALID */
  constructor(options: CallbackServerOptions, deps: CallbackServerDeps) {
    this.#options = options
    this.#deps = deps
    this.#complaints = new ThrottledLog(deps.log, deps.clock)
    this.#room = new BodyRoom(Math.max(BODIES_AT_ONCE, 2 * options.bodyLimit))
    for (const each of options.sources) {
      const { source: name, provider } = each
      this.#sources.set(name, { name, provider, path: `/callbacks/${name}`, guards: new Guards(each) })
    }
    this.#nobody = { name: '', provider: '', path: '', guards: unknownSourceGuards() }
    this.#server = httpServer(options.tls, (req, res) => this.#handle(req, res, false))
    this.#server.on('checkContinue', (req: IncomingMessage, res: ServerResponse) => this.#handle(req, res, true))
    this.#server.on('checkExpectation', (req: IncomingMessage, res: ServerResponse) => this.#handle(req, res, false))
    this.#server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
      const code = refuseUnparsed(error, socket as Socket)
      if (code !== undefined) deps.observer.answered('', code)
    })
  }

  /** @throws ConnectorError CONFIG_INVALID: the port can't be opened */
  listen(): Promise<AddressInfo> {
    return listen(this.#server, this.#options.host, this.#options.port, 'callbacks')
  }

  /** Goes on taking callbacks, but asks callers that keep connections open to come back on another one. */
  drain(): void {
    this.#leaving = true
  }

  /**
   * Takes no more. Requests that are here are still answered.
   * @param grace ms after which connections that are left are cut; what was not answered is not in custody for them
   */
  async close(grace: number): Promise<void> {
    this.#leaving = true
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()))
    this.#server.closeIdleConnections()
    const cut = new AbortController()
    const late = this.#deps.clock.sleep(grace, cut.signal).then(() => this.#server.closeAllConnections())
    await closed
    cut.abort()
    await late
  }

  #handle(req: IncomingMessage, res: ServerResponse, expectsContinue: boolean): void {
    const began = this.#deps.clock.monotonic()
    const target = parseTarget(req.url ?? '')
    if (target === undefined) return this.#refuse(req, res, 404, NONE, '')
    const source = this.#sources.get(target.source) ?? this.#nobody
    if (req.method !== 'GET' && req.method !== 'POST') return this.#refuse(req, res, 405, METHODS, source.name)
    const call = { req, res, source, target, began }
    const { headers, socket } = req
    const flaw = source.guards.rejectionReason({
      address: clientAddress(socket.remoteAddress, headers['x-forwarded-for'], this.#options.trustProxy),
      token: target.token,
      authorization: headers.authorization,
    })
    if (flaw !== null) return this.#unauthorised(call, flaw)
    const length = headers['content-length']
    if (length !== undefined ? length === '0' : headers['transfer-encoding'] === undefined) {
      return this.#verify(call, EMPTY)
    }
    if (Number(length ?? 0) > this.#options.bodyLimit) return this.#refuse(req, res, 413, NONE, source.name)
    if (expectsContinue) res.writeContinue()
    readBody(req, res, this.#options.bodyLimit, this.#room, (body) => {
      if (body === 'too-long') this.#refuse(req, res, 413, NONE, source.name)
      else if (body === 'no-room') this.#refuse(req, res, 503, LATER, source.name)
      else this.#verify(call, body)
    })
  }

  /** The signature covers the body, so it is the last guard. */
  #verify(call: Call, body: Uint8Array): void {
    const { headers, method = '' } = call.req
    const now = this.#deps.clock.now()
    const { nonce, flaw } = call.source.guards.signed(
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
    if (flaw !== undefined) return this.#unauthorised(call, flaw)
    const { name: source, provider } = call.source
    this.#take(call, { source, provider, via: 'CALLBACK', receivedAt: now, facts: factsOf(call), body }, nonce)
  }

  #take(call: Call, entry: NewEntry, nonce: Nonce | undefined): void {
    this.#deps.journal.append(entry, nonce).then(
      () => this.#thank(call), // invariant 1: not before it is durable
      (error: unknown) => {
        if (hasCode(error, 'NONCE_SEEN')) return this.#unauthorised(call, 'nonce')
        this.#complaints.refused(error)
        this.#refuse(call.req, call.res, 503, LATER, call.source.name)
      },
    )
  }

  #thank({ res, source, began }: Call): void {
    const { observer, clock } = this.#deps
    res.writeHead(200, this.#leaving ? OK_AND_CLOSE : OK).end()
    observer.custodyTaken((clock.monotonic() - began) / 1_000)
    observer.answered(source.name, 200)
    this.#complaints.taken()
  }

  #unauthorised({ req, res, source }: Call, flaw: RejectionReason): void {
    if (source !== this.#nobody) this.#complaints.unauthorised(source.name, flaw)
    this.#refuse(req, res, 401, UNAUTHORISED, source.name)
  }

  #refuse(
    req: IncomingMessage,
    res: ServerResponse,
    code: number,
    headers: Readonly<Record<string, string>>,
    source: string,
  ): void {
    this.#deps.observer.answered(source, code)
    const bodyIsHere = req.complete || (req.headers['content-length'] ?? req.headers['transfer-encoding']) === undefined
    if (!bodyIsHere) return refuseWhileSending(req, res, code, headers)
    res.writeHead(code, { ...headers, ...(this.#leaving ? OK_AND_CLOSE : OK) }).end()
  }
}

/** Nothing that lets anybody in: no token, no Authorization, no signature. */
const factsOf = ({ req, source, target }: Call): RequestFacts => {
  const { 'content-type': type, 'content-encoding': encoding } = req.headers
  return {
    method: req.method ?? '',
    path: source.path,
    query: target.query,
    ...(type === undefined ? NONE : { 'content-type': type }),
    ...(encoding === undefined ? NONE : { 'content-encoding': encoding }),
  }
}
