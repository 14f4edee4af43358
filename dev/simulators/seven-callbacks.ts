import { Agent, request as httpRequest } from 'node:http'
import type { ClientRequest } from 'node:http'
import { Random } from './random.js'
import { callFor, signatureHeaders } from './seven-shapes.js'
import type { Call, SevenEvent, SevenShape } from './seven-shapes.js'

export type { SevenEvent, SevenShape } from './seven-shapes.js'

export interface SevenCallbacksOptions {
  /** The connector's callback URL, token included; a query of its own is kept. */
  url: string
  /** Calls under way at once, each on a connection that is kept alive; 8 by default. */
  concurrency?: number
  /** 30 s by default; then the call counts as failed. */
  timeoutMs?: number
  /** Signs every call as a webhook is signed. */
  signingKey?: string
  /** What is signed as the URL, if that isn't `url`: origin and path prefix, as behind a proxy. */
  publicUrl?: string
  /** Clock of timestamps and signatures, milliseconds since 1970. */
  now?: () => number
}

/** What became of one callback. */
export interface SevenOutcome {
  readonly event: SevenEvent | undefined
  readonly shape: SevenShape | undefined
  /** Milliseconds since 1970. */
  readonly at: number
  /** Undefined when no answer came. */
  readonly status: number | undefined
  readonly error: string | undefined
}

/**
 * Makes seven's callbacks. Each is made once, whatever comes of it; what was answered 200 is the receiver's from then on.
 */
export class SevenCallbacks {
  /** In the order in which they ended. */
  readonly outcomes: SevenOutcome[] = []
  readonly #options: SevenCallbacksOptions
  readonly #agent: Agent
  readonly #running = new Set<ClientRequest>()
  readonly #random = new Random(7)
  #stopped = false

  constructor(options: SevenCallbacksOptions) {
    this.#options = options
    this.#agent = new Agent({ keepAlive: true, maxSockets: options.concurrency ?? 8 })
  }

  /** Resolves when each has been answered or has failed, with the outcomes in the order of the events. */
  async send(events: readonly SevenEvent[], shape: SevenShape = 'status-url'): Promise<SevenOutcome[]> {
    const outcomes: SevenOutcome[] = []
    let next = 0
    const worker = async (): Promise<void> => {
      while (next < events.length && !this.#stopped) {
        const index = next
        next += 1
        const event = events[index]
        if (event !== undefined) outcomes[index] = await this.#make(this.#callFor(event, shape))
      }
    }
    await Promise.all(Array.from({ length: this.#options.concurrency ?? 8 }, worker))
    return outcomes
  }

  /** Any request at all: what no provider should send. `path` is appended to the URL's, with its query. */
  sendRaw(raw: {
    method?: 'GET' | 'POST'
    query?: string
    body?: Buffer | string
    contentType?: string
  }): Promise<SevenOutcome> {
    const url = new URL(this.#options.url)
    if (raw.query !== undefined) url.search = raw.query
    const body = Buffer.from(raw.body ?? '')
    const headers: Record<string, string> = raw.contentType === undefined ? {} : { 'content-type': raw.contentType }
    return this.#make({ method: raw.method ?? (body.length > 0 ? 'POST' : 'GET'), url, headers, body })
  }

  /** The events that were answered 200: these must come out on the other side. */
  owed(): SevenEvent[] {
    return this.outcomes.flatMap(({ event, status }) => (status === 200 && event !== undefined ? [event] : []))
  }

  /** Aborts what is under way, makes no more calls, closes the connections. */
  stop(): void {
    this.#stopped = true
    for (const request of this.#running) request.destroy(new Error('stopped'))
    this.#agent.destroy()
  }

  #callFor(event: SevenEvent, shape: SevenShape): Call {
    return callFor(event, shape, new URL(this.#options.url), new Date(this.#now()))
  }

  #make(call: Call): Promise<SevenOutcome> {
    const at = this.#now()
    return new Promise((resolve) => {
      const end = (status: number | undefined, error: string | undefined): void => {
        if (!this.#running.delete(request)) return
        const outcome = { event: call.event, shape: call.shape, at, status, error }
        this.outcomes.push(outcome)
        resolve(outcome)
      }
      const headers = {
        ...call.headers,
        ...(call.method === 'POST' ? { 'content-length': String(call.body.length) } : {}),
        ...this.#signature(call),
      }
      const request = httpRequest(call.url, { method: call.method, headers, agent: this.#agent }, (response) => {
        response.resume()
        // The body belongs to the answer: only then is the connection free for the next call.
        response.once('end', () => end(response.statusCode, undefined))
        response.once('error', (error) => end(undefined, error.message))
      })
      this.#running.add(request)
      request.setTimeout(this.#options.timeoutMs ?? 30_000, () => request.destroy(new Error('timed out')))
      request.once('error', (error) => end(undefined, error.message))
      request.end(call.body)
    })
  }

  #signature(call: Call): Record<string, string> {
    const { signingKey, publicUrl } = this.#options
    if (signingKey === undefined) return {}
    const url = publicUrl ? `${publicUrl.replace(/\/$/, '')}${call.url.pathname}${call.url.search}` : call.url.href
    return signatureHeaders(signingKey, call, url, Math.floor(this.#now() / 1_000), this.#random.hex(32))
  }

  #now(): number {
    return (this.#options.now ?? Date.now)()
  }
}
