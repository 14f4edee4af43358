/**
 * A connection to a provider's API, made for destructive reads: a provider's queue forgets what it hands out, so an
 * answer that is lost on the way can't be requested again.
 *
 * For that reason a request is sent exactly once (there is no retry, no redirect and no pipelining), and a connection is
 * closed before each pause: a socket that was idle may be dead without the connector knowing it, and an answer that is
 * sent into it is lost. Everything that arrives is kept, even if the rest of the answer never does: the chunks are
 * collected as undici reports them, not through a stream, which would drop its buffer when the socket dies. Bodies are
 * not decompressed.
 */
import { Client, type Dispatcher } from 'undici'

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
}

export interface HttpAnswer {
  readonly kind: 'answer'
  readonly status: number
  /** Names are in lower case. The values of a repeated header are joined by `, `. */
  readonly headers: Readonly<Record<string, string>>
  readonly body: Uint8Array
  /** What cut the body short, for example a reset of the connection; null if the body is complete. */
  readonly truncatedBy: string | null
}

/** The result of a request that failed before the first byte of a body arrived. */
export interface NoHttpAnswer {
  readonly kind: 'none'
  readonly reason: 'timeout' | 'network-error'
  readonly detail: string
  /** Whether the request had been written to the socket. If so, the provider may have handed out a page that is lost. */
  readonly wasSent: boolean
}

/** How long a socket may be idle between two requests of one drain before it is no longer used. */
const KEEP_ALIVE_MS = 1_000

export class Connection {
  readonly #client: Client
  readonly #maxAnswer: number
  #exchange: Exchange | undefined

  /** @param origin scheme, host and port */
  constructor(origin: string, options: ConnectionOptions) {
    this.#maxAnswer = options.maxAnswer
    this.#client = new Client(origin, {
      pipelining: 1,
      headersTimeout: options.timeout,
      bodyTimeout: options.timeout,
      connectTimeout: options.timeout,
      keepAliveTimeout: KEEP_ALIVE_MS,
      keepAliveMaxTimeout: KEEP_ALIVE_MS,
    })
  }

  /** Sends a request and resolves with what came of it. Never rejects. The caller sends one request at a time. */
  send(request: OutgoingRequest): Promise<HttpAnswer | NoHttpAnswer> {
    const { pathname, search } = new URL(request.url)
    return new Promise((resolve) => {
      const exchange = new Exchange(this.#maxAnswer, (result) => {
        this.#exchange = undefined
        resolve(result)
      })
      this.#exchange = exchange
      this.#client.dispatch(
        {
          method: request.method,
          path: pathname + search,
          headers: request.headers,
          body: request.body ?? null,
          idempotent: false,
        },
        exchange,
      )
    })
  }

  /** Cancels a request that has not been written to the socket yet, and lets any other one finish. */
  async cancelUnsent(): Promise<void> {
    if (this.#exchange?.wasSent === false) await this.close()
  }

  /** Closes the socket. A request under way ends with what has arrived of its answer. */
  async close(): Promise<void> {
    await this.#client.destroy()
  }
}

/** Collects the answer to one request. undici calls the `on…` methods. */
class Exchange implements Dispatcher.DispatchHandler {
  wasSent = false
  readonly #maxAnswer: number
  readonly #onEnd: (result: HttpAnswer | NoHttpAnswer) => void
  readonly #chunks: Buffer[] = []
  #bytes = 0
  #status = 0
  #headers: Record<string, string> = {}

  constructor(maxAnswer: number, onEnd: (result: HttpAnswer | NoHttpAnswer) => void) {
    this.#maxAnswer = maxAnswer
    this.#onEnd = onEnd
  }

  onRequestStart(): void {
    this.wasSent = true
  }

  onResponseStart(
    _controller: Dispatcher.DispatchController,
    status: number,
    headers: Record<string, string | string[] | undefined>,
  ): void {
    if (status < 200) return
    this.#status = status
    for (const [name, value] of Object.entries(headers)) {
      if (value !== undefined) this.#headers[name.toLowerCase()] = Array.isArray(value) ? value.join(', ') : value
    }
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    const room = this.#maxAnswer - this.#bytes
    const kept = chunk.length > room ? chunk.subarray(0, room) : chunk
    this.#chunks.push(kept)
    this.#bytes += kept.length
    if (kept.length < chunk.length) controller.abort(new Error(`longer than ${this.#maxAnswer} bytes`))
  }

  onResponseEnd(): void {
    this.#onEnd(this.#answer(null))
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    const detail = formatNetworkError(error)
    if (this.#bytes > 0) {
      this.#onEnd(this.#answer(detail))
      return
    }
    // UND_ERR_CONNECT_TIMEOUT, UND_ERR_HEADERS_TIMEOUT, UND_ERR_BODY_TIMEOUT, and Node's own codes of the same form.
    const reason = codeOf(error).includes('TIMEOUT') ? 'timeout' : 'network-error'
    this.#onEnd({ kind: 'none', reason, detail, wasSent: this.wasSent })
  }

  #answer(truncatedBy: string | null): HttpAnswer {
    const [first] = this.#chunks
    const isOneChunk = this.#chunks.length === 1 && first !== undefined
    const body = isOneChunk ? first : Buffer.concat(this.#chunks, this.#bytes)
    return { kind: 'answer', status: this.#status, headers: this.#headers, body, truncatedBy }
  }
}

const codeOf = (error: Error): string => ('code' in error && typeof error.code === 'string' ? error.code : '')

const formatNetworkError = (error: Error): string => {
  // Node reports one failure per address of a host in an AggregateError, which has no message of its own.
  if (error instanceof AggregateError) return error.errors.map((each) => formatNetworkError(each as Error)).join('; ')
  const code = codeOf(error)
  return code === '' || error.message.includes(code) ? error.message : `${error.message} (${code})`
}
