/**
 * One request to a queue that forgets what it hands out, over a connection of its own.
 *
 * The wire is part of custody. So nothing is sent twice: no retry, no redirect, no pipelining, and a `Connection` is
 * ended before each pause, because a socket that idled may be dead without our knowing, and an answer sent into it is
 * gone. Everything that arrives is kept, also when the rest never does: bytes are collected as they come, outside of
 * any stream that would drop its buffer when the socket dies. Nothing is decompressed.
 */
import { Client, type Dispatcher } from 'undici'

/** A request to a provider. Bodies are small and built anew for each call. */
export interface OutgoingRequest {
  readonly method: 'GET' | 'POST'
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly body?: string
}

export interface ConnectionOptions {
  /** Milliseconds without a byte before the answer is given up; never a total. */
  readonly timeout: number
  /** Bytes of body after which reading stops. */
  readonly maxAnswer: number
}

export interface HttpAnswer {
  readonly kind: 'answer'
  readonly status: number
  /** Names in lower case; a repeated header's values joined by ', '. */
  readonly headers: Readonly<Record<string, string>>
  readonly body: Uint8Array
  /** Why the body stops where it does; null when it is complete. */
  readonly truncatedBy: string | null
}

/** Not a byte of a body came, and no complete answer either. */
export interface NoHttpAnswer {
  readonly kind: 'none'
  readonly reason: 'timeout' | 'network-error'
  readonly detail: string
  /** Whether the request was on the wire: if so the provider may have emptied a page into nothing. */
  readonly wasSent: boolean
}

/** A socket between two requests of one drain is trusted this long, in ms. */
const IDLE_TRUST = 1_000

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
      keepAliveTimeout: IDLE_TRUST,
      keepAliveMaxTimeout: IDLE_TRUST,
    })
  }

  /** Never rejects. One at a time. */
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

  /** Gives up a request that is not on the wire yet; one that is goes on. */
  async cancelUnsent(): Promise<void> {
    if (this.#exchange?.sent === false) await this.close()
  }

  /** Closes the socket. A request under way ends with what arrived of its answer. */
  async close(): Promise<void> {
    await this.#client.destroy()
  }
}

class Exchange implements Dispatcher.DispatchHandler {
  sent = false
  readonly #maxAnswer: number
  readonly #done: (result: HttpAnswer | NoHttpAnswer) => void
  readonly #chunks: Buffer[] = []
  #bytes = 0
  #status = 0
  #headers: Record<string, string> = {}

  constructor(maxAnswer: number, done: (result: HttpAnswer | NoHttpAnswer) => void) {
    this.#maxAnswer = maxAnswer
    this.#done = done
  }

  onRequestStart(): void {
    this.sent = true
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
    this.#done(this.#answer(null))
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    const detail = describe(error)
    if (this.#bytes > 0) return this.#done(this.#answer(detail))
    const reason = /TIMEOUT/.test(codeOf(error)) ? 'timeout' : 'network-error'
    this.#done({ kind: 'none', reason, detail, wasSent: this.sent })
  }

  #answer(cut: string | null): HttpAnswer {
    const [only] = this.#chunks
    const body = this.#chunks.length === 1 && only !== undefined ? only : Buffer.concat(this.#chunks, this.#bytes)
    return { kind: 'answer', status: this.#status, headers: this.#headers, body, truncatedBy: cut }
  }
}

const codeOf = (error: Error): string => ('code' in error && typeof error.code === 'string' ? error.code : '')

/** An AggregateError (one failure per address of a host) has no message of its own. */
const describe = (error: Error): string => {
  if (error instanceof AggregateError) return error.errors.map((each) => describe(each as Error)).join('; ')
  const code = codeOf(error)
  return code === '' || error.message.includes(code) ? error.message : `${error.message} (${code})`
}
