import { Agent, request as httpRequest } from 'node:http'
import type { ClientRequest } from 'node:http'
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https'
import type { SecureContextOptions } from 'node:tls'
import { Random } from './random.js'
import { callbackRequest, signatureHeaders } from './seven-requests.js'
import type { CallbackRequest, SevenEvent, SevenShape } from './seven-requests.js'

export interface SevenCallbacksOptions {
  /** The callback URL of the receiver, with its token. A query that it has is kept. */
  url: string
  /** Callbacks under way at the same time, each on a connection that is kept alive. Default 8. */
  concurrency?: number
  /** After this time without a byte the callback has failed. Default 30 s. */
  timeoutMs?: number
  /** Signs every callback as seven signs webhooks. */
  signingKey?: string
  /** Origin and path prefix of the URL that is signed, if it differs from `url`, as behind a proxy. */
  publicUrl?: string
  /** Sent with every callback. */
  headers?: Readonly<Record<string, string>>
  /** For an `https:` address: the certificates that are trusted, and those of the caller. */
  tls?: SecureContextOptions
  /** The clock of timestamps and signatures, in milliseconds since the epoch. */
  now?: () => number
}

/** The result of one callback. */
export interface SevenOutcome {
  /** Undefined for a callback of `sendRaw`. */
  readonly event: SevenEvent | undefined
  /** Query and body of a callback of `sendRaw`; empty for an event. */
  readonly rawContent: string
  /** Start and end by the clock of `performance.now()`. */
  readonly startedAt: number
  readonly endedAt: number
  /** Undefined when no answer arrived. */
  readonly status: number | undefined
  readonly error: string | undefined
}

let nextSeed = 7

/** Sends seven's callbacks, each exactly once whatever the answer is. The receiver owes what it answered with 200. */
export class SevenCallbacks {
  /** In the order in which the callbacks ended. */
  readonly outcomes: SevenOutcome[] = []
  readonly #options: SevenCallbacksOptions
  readonly #agent: Agent
  readonly #request: typeof httpRequest
  readonly #underWay = new Set<ClientRequest>()
  /** Generates nonces, of which no two instances may send the same. */
  readonly #random = new Random(nextSeed++)
  #isStopped = false

  constructor(options: SevenCallbacksOptions) {
    this.#options = options
    const connections = { keepAlive: true, maxSockets: options.concurrency ?? 8 }
    const isSecure = options.url.startsWith('https:')
    this.#agent = isSecure ? new HttpsAgent({ ...connections, ...options.tls }) : new Agent(connections)
    this.#request = isSecure ? httpsRequest : httpRequest
  }

  /** Resolves with the outcomes, in the order of the events, when each callback has been answered or has failed. */
  async send(events: readonly SevenEvent[], shape: SevenShape = 'status-url'): Promise<SevenOutcome[]> {
    const outcomes: SevenOutcome[] = []
    const waiting = [...events.entries()]
    const sendWaiting = async (): Promise<void> => {
      for (;;) {
        const next = this.#isStopped ? undefined : waiting.shift()
        if (next === undefined) return
        const [index, event] = next
        const request = callbackRequest(event, shape, this.#options.url, new Date(this.#now()))
        outcomes[index] = await this.#send(request, event)
      }
    }
    await Promise.all(Array.from({ length: this.#options.concurrency ?? 8 }, sendWaiting))
    return outcomes
  }

  /** Sends any request, including one that no provider should send. `query` replaces the query of the URL. */
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
    return this.#send({ method: raw.method ?? (body.length > 0 ? 'POST' : 'GET'), url, headers, body })
  }

  /** The events that were answered with 200, which the receiver must publish. */
  owed(): SevenEvent[] {
    return this.outcomes.flatMap(({ event, status }) => (status === 200 && event !== undefined ? [event] : []))
  }

  /** Aborts the callbacks under way, sends no more, and closes the connections. */
  stop(): void {
    this.#isStopped = true
    for (const request of this.#underWay) request.destroy(new Error('stopped'))
    this.#agent.destroy()
  }

  #send(callback: CallbackRequest, event?: SevenEvent): Promise<SevenOutcome> {
    const rawContent = event === undefined ? `${callback.url.search} ${callback.body.toString('utf8')}` : ''
    const startedAt = performance.now()
    return new Promise((resolve) => {
      const end = (status: number | undefined, error: string | undefined): void => {
        if (!this.#underWay.delete(request)) return
        const outcome = { event, rawContent, startedAt, endedAt: performance.now(), status, error }
        this.outcomes.push(outcome)
        resolve(outcome)
      }
      const headers = {
        ...callback.headers,
        ...this.#options.headers,
        ...(callback.method === 'POST' ? { 'content-length': String(callback.body.length) } : {}),
        ...this.#signature(callback),
      }
      const options = { method: callback.method, headers, agent: this.#agent }
      const request = this.#request(callback.url, options, (response) => {
        response.resume()
        // The connection is free for the next callback only after the body of the answer.
        response.once('end', () => end(response.statusCode, undefined))
        response.once('error', (error) => end(undefined, error.message))
      })
      this.#underWay.add(request)
      request.setTimeout(this.#options.timeoutMs ?? 30_000, () => request.destroy(new Error('timed out')))
      request.once('error', (error) => end(undefined, error.message))
      request.end(callback.body)
    })
  }

  #signature(callback: CallbackRequest): Record<string, string> {
    const { signingKey, publicUrl } = this.#options
    if (signingKey === undefined) return {}
    const { pathname, search, href } = callback.url
    const url = publicUrl ? `${publicUrl.replace(/\/$/, '')}${pathname}${search}` : href
    return signatureHeaders(signingKey, callback, url, Math.floor(this.#now() / 1_000), this.#random.hex(32))
  }

  #now(): number {
    return (this.#options.now ?? Date.now)()
  }
}
