/**
 * A connection to a provider's API, made for destructive reads: a provider's queue forgets what it hands out, so an
 * answer that is lost on the way can't be requested again.
 *
 * For that reason a request is sent exactly once (there is no retry, no redirect and no pipelining), and a socket is not
 * used again after a pause: a socket that was idle may be dead without the connector knowing it, and an answer that is
 * sent into it is lost. Every byte that arrives is kept, even if the rest of the answer never comes and however the answer
 * is framed: custody begins at the socket, and `ResponseReader` refuses nothing. A socket is read for a moment after its
 * last answer, because the framing may have ended the answer too early. Bodies are not decompressed.
 */
import { validateHeaderName, validateHeaderValue } from 'node:http'
import type { Socket } from 'node:net'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { MAX_TIMER_MS } from '../core/clock.js'
import { messageOf } from '../core/errors.js'
import { type OpeningSocket, openSocket } from './open-socket.js'
import { proxyAddress } from './proxy.js'
import type { ProxyServer } from './settings.js'
import { isEmptyLine, joinBytes, ResponseReader } from './response-reader.js'
import { quote } from '../masking/known-secrets.js'

/** A request to a provider. The body is small and built for each request. */
export interface OutgoingRequest {
  readonly method: 'GET' | 'POST'
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly body?: string
}

export interface ConnectionOptions {
  /** How long the connection waits for the next byte, in milliseconds. The length of a whole answer is not limited. */
  readonly timeout: number
  /** The number of bytes of a body after which reading stops. */
  readonly maxAnswer: number
  /** The proxy through which the connection is made; a direct one if it is left out. */
  readonly proxy?: ProxyServer | undefined
}

export interface HttpAnswer {
  readonly kind: 'answer'
  /** null if the answer has no status line that can be read. */
  readonly status: number | null
  /** Names are in lower case. The values of a repeated header are joined by `, `. */
  readonly headers: Readonly<Record<string, string>>
  readonly body: Uint8Array
  /** What cut the answer short, for example a reset of the connection; null if it is complete. */
  readonly truncatedBy: string | null
  /** Set if the framing does not say what the body is. The other properties are then the most probable reading. */
  readonly malformed: MalformedAnswer | null
}

export interface MalformedAnswer {
  /** What is wrong with the framing, as a clause. */
  readonly error: string
  /** All bytes of the answer as they arrived, with status line and header fields. */
  readonly bytes: Uint8Array
}

/** The result of a request to which not a single byte was answered. */
export interface NoHttpAnswer {
  readonly kind: 'none'
  readonly reason: 'timeout' | 'network-error'
  readonly detail: string
  /** Whether the request had been written to the socket. If so, the provider may have handed out a page that is lost. */
  readonly wasSent: boolean
}

/** How long a socket stays open after a whole answer: for the next request of a drain, or for bytes that are late. */
const KEEP_ALIVE_MS = 1_000
/** How long the connection waits for further bytes of an answer that is whole, but whose end is not clear. */
const SURPLUS_WAIT_MS = 1_000
const NO_BODY_ERROR = 'the answer ended before its body began'

/** A socket, and what has arrived on it. */
interface Link {
  readonly opening: OpeningSocket
  /** Undefined until the socket is open. */
  socket: Socket | undefined
  isOpen: boolean
  /** Whether the other side accepts another request on the socket. */
  isReusable: boolean
  exchange: Exchange | undefined
  /** The bytes that arrived after the end of the last answer. */
  lateBytes: Uint8Array[]
  idleTimer: NodeJS.Timeout | undefined
}

/** Empty lines between responses have no meaning. */
const hasLateBytes = ({ lateBytes }: Link): boolean => !lateBytes.every(isEmptyLine)

export class Connection {
  readonly #address: URL
  readonly #options: ConnectionOptions
  /** The link of the last request. */
  #current: Link | undefined
  /** Every link that is open or has late bytes. After a whole answer a link stays open for a moment, for bytes that are late. */
  readonly #links = new Set<Link>()
  /** Called when late bytes have arrived, and when a link was closed. */
  #onLinkChanged: () => void = () => undefined
  /** Lets the next TLS connection resume the session of the last one. */
  #tlsSession: Buffer | undefined

  /** @param url any address at the host and port to connect to */
  constructor(url: string, options: ConnectionOptions) {
    this.#address = new URL(url)
    this.#options = options
  }

  /** Sends a request and resolves with what came of it. Never rejects. The caller sends one request at a time. */
  async send(request: OutgoingRequest): Promise<HttpAnswer | NoHttpAnswer> {
    let bytes: Uint8Array
    try {
      bytes = formatRequest(request)
    } catch (error) {
      return { kind: 'none', reason: 'network-error', detail: quote(messageOf(error)), wasSent: false }
    }
    const exchange = new Exchange(this.#options.maxAnswer)
    const link = this.#reuseLink(exchange, bytes) ?? this.#connect(exchange, bytes)
    this.#current = link
    exchange.waitForByte(this.#options.timeout)
    const result = await this.#finish(link, exchange)
    const { proxy } = this.#options
    if (proxy === undefined || result.kind === 'answer' || result.wasSent || result.reason !== 'timeout') return result
    return { ...result, detail: `${result.detail}, while the proxy ${proxyAddress(proxy)} opened the tunnel` }
  }

  /**
   * Resolves with bytes that arrived after the end of an answer, read as an answer of their own; null if there are none. A
   * Content-Length that is too small causes them, and they may hold a part of a page. A caller that can't ask for them again
   * repeats this until it resolves with null, before each request and before it closes the connection.
   */
  async takeLateAnswer(): Promise<HttpAnswer | null> {
    // Bytes that have reached this machine are read in the next turn of the event loop.
    if (this.#hasOpenLink()) await nextTurn()
    const link = this.#linkWithLateBytes()
    if (link === undefined) return null
    const pieces = link.lateBytes
    link.lateBytes = []
    clearTimeout(link.idleTimer)
    const exchange = new Exchange(this.#options.maxAnswer, 'bytes arrived after the end of an answer')
    link.exchange = exchange
    exchange.waitForByte(SURPLUS_WAIT_MS)
    for (const piece of pieces) exchange.receive(piece)
    if (!link.isOpen) exchange.end(null)
    const answer = await this.#finish(link, exchange)
    return answer.kind === 'answer' ? answer : null
  }

  /** Drops the bytes that arrived after the end of an answer. */
  discardLateBytes(): void {
    for (const link of this.#links) {
      link.lateBytes = []
      if (!link.isOpen) this.#links.delete(link)
    }
  }

  /**
   * Sends no further request on the open socket. Resolves with true when there is something for `takeLateAnswer`, and with
   * false when there can be nothing any more, because every socket is closed: by the other side, by `close`, or because no
   * byte has followed the last answer for a moment.
   */
  async untilLateBytes(): Promise<boolean> {
    this.#current = undefined
    while (this.#hasOpenLink() && this.#linkWithLateBytes() === undefined) {
      await new Promise<void>((resolve) => {
        this.#onLinkChanged = resolve
      })
    }
    return this.#linkWithLateBytes() !== undefined
  }

  /** Cancels a request that has not been written to the socket yet, and lets any other one finish. */
  cancelUnsent(): void {
    if ([...this.#links].some(({ exchange }) => exchange?.wasSent === false)) this.close()
  }

  /** Closes every socket. A request under way ends with what has arrived of its answer. The next request opens another socket. */
  close(): void {
    for (const link of this.#links) this.#endLink(link, 'the connector has closed the connection')
  }

  #hasOpenLink(): boolean {
    return [...this.#links].some(({ isOpen }) => isOpen)
  }

  #linkWithLateBytes(): Link | undefined {
    return [...this.#links].find(hasLateBytes)
  }

  /** Sends a request on the socket of the last one; undefined if that can't take another request. */
  #reuseLink(exchange: Exchange, request: Uint8Array): Link | undefined {
    const link = this.#current
    if (link?.socket === undefined || !link.isOpen || !link.isReusable) return undefined
    clearTimeout(link.idleTimer)
    link.exchange = exchange
    exchange.write(link.socket, request)
    return link
  }

  async #finish(link: Link, exchange: Exchange): Promise<HttpAnswer | NoHttpAnswer> {
    const { isWhole, isReusable } = await exchange.ended
    link.exchange = undefined
    link.isReusable = isReusable && link.lateBytes.length === 0
    // The socket of a whole answer stays open for bytes that are late, even if no request can follow on it.
    if (isWhole && link.isOpen) link.idleTimer = setTimeout(() => this.#closeLink(link), KEEP_ALIVE_MS)
    else this.#closeLink(link)
    return exchange.result()
  }

  #endLink(link: Link, cause: string | null): void {
    if (!link.isOpen) return
    link.exchange?.end(cause)
    this.#closeLink(link)
  }

  #closeLink(link: Link): void {
    clearTimeout(link.idleTimer)
    link.isOpen = false
    link.opening.destroy()
    if (!hasLateBytes(link)) this.#links.delete(link)
    this.#onLinkChanged()
  }

  #connect(exchange: Exchange, request: Uint8Array): Link {
    const opening = openSocket(this.#address, {
      proxy: this.#options.proxy,
      tlsSession: this.#tlsSession,
      onTlsSession: (session) => {
        this.#tlsSession = session
      },
    })
    const link: Link = {
      opening,
      socket: undefined,
      isOpen: true,
      isReusable: false,
      exchange,
      lateBytes: [],
      idleTimer: undefined,
    }
    this.#links.add(link)
    opening.ready.then(
      (socket) => this.#useSocket(link, socket, exchange, request),
      (error: Error) => this.#endLink(link, formatNetworkError(error)),
    )
    return link
  }

  #useSocket(link: Link, socket: Socket, exchange: Exchange, request: Uint8Array): void {
    link.socket = socket
    if (!link.isOpen) return
    socket.on('data', (bytes: Buffer) => {
      if (link.isOpen) this.#receive(link, bytes)
    })
    socket.on('end', () => this.#endLink(link, null))
    socket.on('close', () => this.#endLink(link, null))
    socket.on('error', (error: Error) => this.#endLink(link, formatNetworkError(error)))
    exchange.write(socket, request)
    // The socket of a tunnel is paused, so that it reads nothing before this listener exists.
    socket.resume()
  }

  #receive(link: Link, bytes: Uint8Array): void {
    // An exchange takes no bytes once it has ended: what comes then, even before `#finish` goes on, is late.
    if (link.exchange?.hasEnded === false) return link.exchange.receive(bytes)
    link.isReusable = false
    link.lateBytes.push(bytes)
    const lateBytes = link.lateBytes.reduce((sum, { byteLength }) => sum + byteLength, 0)
    if (lateBytes > this.#options.maxAnswer) this.#closeLink(link)
    else this.#onLinkChanged()
  }
}

interface ExchangeEnd {
  /** Whether the answer has arrived up to the end that its framing gives. */
  readonly isWhole: boolean
  readonly isReusable: boolean
}

/** One request, and the bytes that arrive in answer to it. */
class Exchange {
  wasSent = false
  hasEnded = false
  /** Resolves when the answer is whole, or no more of it is to be expected. */
  readonly ended: Promise<ExchangeEnd>
  readonly #reader: ResponseReader
  readonly #maxAnswer: number
  /** An error in the framing that does not depend on the bytes. */
  readonly #framingError: string | null
  readonly #received: Uint8Array[] = []
  #resolve: (end: ExchangeEnd) => void = () => undefined
  /** What ended the exchange before the answer was whole; null if the other side closed the connection in good order. */
  #cause: string | null = null
  #isTimeout = false
  #timer: NodeJS.Timeout | undefined
  #waitMs = Infinity

  constructor(maxAnswer: number, framingError: string | null = null) {
    this.#maxAnswer = maxAnswer
    this.#framingError = framingError
    this.#reader = new ResponseReader(maxAnswer)
    this.ended = new Promise((resolve) => {
      this.#resolve = resolve
    })
  }

  write(socket: Socket, request: Uint8Array): void {
    this.wasSent = true
    this.#timer?.refresh()
    socket.write(request)
  }

  receive(bytes: Uint8Array): void {
    if (this.hasEnded) return
    this.#received.push(bytes)
    this.#reader.push(bytes)
    if (this.#reader.isTooLong) {
      this.end(`longer than ${this.#maxAnswer} bytes`)
    } else if (this.#reader.isComplete && this.#framingError === null) {
      this.#settle(true)
    } else if (this.#reader.hasWholeResponse && this.#waitMs > SURPLUS_WAIT_MS) {
      this.waitForByte(SURPLUS_WAIT_MS)
    } else {
      this.#timer?.refresh()
    }
  }

  /** Ends the exchange if no byte arrives within `ms`. */
  waitForByte(ms: number): void {
    clearTimeout(this.#timer)
    this.#waitMs = ms
    this.#timer = setTimeout(
      () => {
        this.#isTimeout = true
        this.end(`no byte arrived for ${ms} ms`)
      },
      Math.min(ms, MAX_TIMER_MS),
    )
  }

  /** @param cause what ended the exchange; null if the other side closed the connection in good order */
  end(cause: string | null): void {
    if (this.hasEnded) return
    this.#cause = cause
    this.#settle(false)
  }

  /** Returns what came of the request, once the exchange has ended. */
  result(): HttpAnswer | NoHttpAnswer {
    const cause = this.#cause ?? 'the other side has closed the connection'
    if (this.#received.length === 0) {
      return {
        kind: 'none',
        reason: this.#isTimeout ? 'timeout' : 'network-error',
        detail: cause,
        wasSent: this.wasSent,
      }
    }
    this.#reader.end(this.#cause === null)
    const { responses, isTooLong } = this.#reader
    const [response] = responses
    const body = joinBytes(response?.body ?? [])
    const isCut = isTooLong || response === undefined || responses.some(({ isComplete }) => !isComplete)
    const noBodyError = isCut && body.byteLength === 0 ? NO_BODY_ERROR : null
    const error = this.#framingError ?? this.#reader.framingError ?? noBodyError
    return {
      kind: 'answer',
      status: response?.status ?? null,
      headers: response?.headers ?? {},
      body,
      truncatedBy: isCut ? cause : null,
      malformed: error === null ? null : { error, bytes: joinBytes(this.#received) },
    }
  }

  #settle(isWhole: boolean): void {
    this.hasEnded = true
    clearTimeout(this.#timer)
    const { responses, framingError } = this.#reader
    const isPersistent = responses.every((response) => response.isPersistent)
    this.#resolve({ isWhole, isReusable: isWhole && isPersistent && framingError === null })
  }
}

/** @throws Error if a header name or value is invalid */
const formatRequest = ({ method, url, headers, body }: OutgoingRequest): Uint8Array => {
  const { host, pathname, search } = new URL(url)
  const content = Buffer.from(body ?? '')
  const lengthField = method === 'POST' ? { 'content-length': String(content.byteLength) } : {}
  const fields = Object.entries({ host, connection: 'keep-alive', ...headers, ...lengthField })
  for (const [name, value] of fields) {
    validateHeaderName(name)
    validateHeaderValue(name, value)
  }
  const lines = fields.map(([name, value]) => `${name}: ${value}\r\n`)
  const head = `${method} ${pathname}${search} HTTP/1.1\r\n${lines.join('')}\r\n`
  return Buffer.concat([Buffer.from(head, 'latin1'), content])
}

const codeOf = (error: Error): string => ('code' in error && typeof error.code === 'string' ? error.code : '')

const formatNetworkError = (error: Error): string => {
  const code = codeOf(error)
  // A failed handshake quotes the certificate of the server.
  const message = quote(messageOf(error))
  return code === '' || message.includes(code) ? message : `${message} (${code})`
}
