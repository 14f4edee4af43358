import type { IncomingMessage, ServerResponse } from 'node:http'
import { answerJson, bodyOf, serve, type LocalServer } from './local-server.js'
import { ProviderData, SEVEN_STATUSES, type SevenStatus } from './provider-data.js'
import { SevenCallbacks } from './seven-callbacks.js'
import {
  berlinTime,
  inboundRow,
  logPage,
  outboundRow,
  type SevenInboundRow,
  type SevenOutboundRow,
} from './seven-log.js'
import { messageEvent, receiptEvent, type SevenEvent, type SevenShape } from './seven-requests.js'

export interface SevenOptions {
  /** Default 0: the operating system chooses a free port. */
  port?: number
  apiKey?: string
  /** With `text` a query for a single id is answered in seven's older form: `STATUS`, a line break, Unix seconds. */
  statusAnswer?: 'json' | 'text'
}

/** One sent message, as the simulator stores it. */
export interface SevenMessage {
  /** Null before the first status. */
  status: SevenStatus | null
  /** `YYYY-MM-DD HH:MM:SS`, without a time zone. */
  time: string | null
}

/** The body of `POST /_control`. All fields may be combined. */
interface ControlRequest {
  /** Callbacks that are sent, once each, before the answer. The log holds their events whether or not they are taken. */
  callbacks?: {
    url: string
    receipts?: number
    messages?: number
    /** Default: the status URL for receipts, JSON for messages. */
    shape?: SevenShape
    concurrency?: number
    signingKey?: string
  }
  /** The answers of the status query by message id; null for a message without a status. */
  statuses?: Record<string, string | null>
  /** The next `times` queries are answered with 429. */
  refuse?: { times: number; retryAfter?: number }
}

/** The server side of seven: status query and message logs. The callbacks of seven are sent by `SevenCallbacks`. */
export class SevenSimulator {
  /** All requests so far, the oldest first. */
  readonly requests: { readonly at: number; readonly path: string; readonly query: string; status: number }[] = []
  readonly messages = new Map<string, SevenMessage>()
  readonly outbound: SevenOutboundRow[] = []
  readonly inbound: SevenInboundRow[] = []
  readonly apiKey: string
  #apiKeys: readonly string[]
  readonly #statusAnswer: 'json' | 'text'
  /** One generator for all control requests, so that a later one does not repeat the message ids of an earlier one. */
  readonly #generator = new ProviderData()
  #server: LocalServer | undefined
  #refusals = { left: 0, retryAfter: 0 }

  private constructor(options: SevenOptions) {
    this.apiKey = options.apiKey ?? 'demo-key'
    this.#apiKeys = [this.apiKey]
    this.#statusAnswer = options.statusAnswer ?? 'json'
  }

  /** Replaces the API key of the account, by several while it is rotated. */
  setApiKeys(...apiKeys: readonly string[]): void {
    this.#apiKeys = apiKeys
  }

  static async start(options: SevenOptions = {}): Promise<SevenSimulator> {
    const simulator = new SevenSimulator(options)
    simulator.#server = await serve((request, response) => simulator.#handle(request, response), options.port)
    return simulator
  }

  /** The value for `reconcile.url` of a source. */
  get url(): string {
    return `${this.#server?.origin ?? ''}/api`
  }

  setStatus(messageId: string, status: SevenStatus | null, time: string | null = '2026-01-01 12:00:00'): void {
    this.messages.set(messageId, { status, time: status === null ? null : time })
  }

  /** Enters an event into status query and log, whether or not a callback reports it. */
  recordEvent(event: SevenEvent, at = Date.now()): void {
    const now = berlinTime(at)
    if (event.kind === 'sms_mo') {
      const { id, text, sender: from, system: to } = event.data
      this.inbound.push(inboundRow(id, now, text, { from, to }))
      return
    }
    const { msg_id: id, status } = event.data
    this.setStatus(id, status, now)
    const row = this.outbound.find((each) => each.id === id)
    if (row) Object.assign(row, outboundRow(id, status, row.timestamp))
    else this.outbound.push(outboundRow(id, status, now))
  }

  /** Answers the next `times` requests with 429. @param retryAfter seconds of the `Retry-After` header */
  refuseRequests(times: number, retryAfter = 1): void {
    this.#refusals = { left: times, retryAfter }
  }

  async stop(): Promise<void> {
    await this.#server?.stop()
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', 'http://localhost')
    const body = await bodyOf(request)
    if (url.pathname === '/_control') return this.#handleControl(request.method, body, response)

    const record = { at: Date.now(), path: url.pathname, query: url.search, status: 0 }
    this.requests.push(record)
    response.once('finish', () => {
      record.status = response.statusCode
    })
    if (this.#refusals.left > 0) {
      this.#refusals.left -= 1
      response.writeHead(429, { 'retry-after': String(this.#refusals.retryAfter) }).end()
      return
    }
    // Errors of this API are HTTP 200 with a JSON string.
    if (!this.#apiKeys.includes(String(request.headers['x-api-key']))) return answerJson(response, '900')
    if (request.method !== 'GET') return void response.writeHead(405, { allow: 'GET' }).end()

    switch (url.pathname) {
      case '/api/status':
        return this.#answerStatus(url.searchParams.get('msg_id') ?? '', response)
      case '/api/journal/outbound':
        return answerJson(response, logPage(this.outbound, url.searchParams))
      case '/api/journal/inbound':
        return answerJson(response, logPage(this.inbound, url.searchParams))
      default:
        return void response.writeHead(404).end('Not Found')
    }
  }

  #answerStatus(messageIds: string, response: ServerResponse): void {
    const ids = messageIds.split(',').filter((id) => id !== '')
    const known = ids.flatMap((id) => {
      const message = this.messages.get(id)
      return message === undefined ? [] : [{ id, status: message.status, status_time: message.time }]
    })
    const first = known[0]
    if (this.#statusAnswer === 'text' && ids.length === 1) {
      const seconds =
        first?.status_time == null ? 0 : Math.floor(Date.parse(`${first.status_time.replace(' ', 'T')}Z`) / 1_000)
      const lines = first?.status == null ? '' : `${first.status}\n${seconds}`
      response.writeHead(200, { 'content-type': 'text/plain' }).end(lines)
      return
    }
    answerJson(response, known)
  }

  /** `POST` applies the JSON of the body and answers with the outcome of its callbacks. `GET` answers with the counts. */
  async #handleControl(method: string | undefined, body: string, response: ServerResponse): Promise<void> {
    let control: ControlRequest = {}
    try {
      if (method === 'POST') control = JSON.parse(body) as ControlRequest
    } catch (error) {
      return answerJson(response, { error: `The body is not JSON: ${String(error)}` }, 400)
    }
    for (const [id, status] of Object.entries(control.statuses ?? {})) {
      if (status !== null && !isSevenStatus(status)) {
        const error = `${status} is not a status of seven; the statuses are ${SEVEN_STATUSES.join(', ')}`
        return answerJson(response, { error }, 400)
      }
      this.setStatus(id, status)
    }
    if (control.refuse) this.refuseRequests(control.refuse.times, control.refuse.retryAfter)

    const callbacks = control.callbacks ? await this.#sendCallbacks(control.callbacks) : undefined
    answerJson(response, { requests: this.requests.length, messages: this.messages.size, callbacks })
  }

  /** @returns the number of callbacks by answer, for example `{"200": 100, "no answer": 2}` */
  async #sendCallbacks({
    url,
    receipts = 0,
    messages = 0,
    shape,
    concurrency,
    signingKey,
  }: NonNullable<ControlRequest['callbacks']>): Promise<Record<string, number>> {
    const callbacks = new SevenCallbacks({
      url,
      ...(concurrency === undefined ? {} : { concurrency }),
      ...(signingKey === undefined ? {} : { signingKey }),
    })
    const receiptEvents = this.#generator.sevenReceipts(receipts).map(receiptEvent)
    const messageEvents = this.#generator.sevenInbound(messages).map(messageEvent)
    for (const event of [...receiptEvents, ...messageEvents]) this.recordEvent(event)
    await callbacks.send(receiptEvents, shape ?? 'status-url')
    await callbacks.send(messageEvents, shape ?? 'json')
    callbacks.stop()

    const counts: Record<string, number> = {}
    for (const { status } of callbacks.outcomes) {
      const answer = status === undefined ? 'no answer' : String(status)
      counts[answer] = (counts[answer] ?? 0) + 1
    }
    return counts
  }
}

const isSevenStatus = (value: string): value is SevenStatus => (SEVEN_STATUSES as readonly string[]).includes(value)
