import type { IncomingMessage, ServerResponse } from 'node:http'
import { SEVEN_STATUSES } from './data.js'
import type { SevenStatus } from './data.js'
import { answerJson, bodyOf, serve } from './http.js'
import type { LocalServer } from './http.js'
import { controlSeven } from './seven-control.js'
import { journalPage } from './seven-journal.js'
import type { SevenInboundRow, SevenOutboundRow } from './seven-journal.js'
import { berlin, inboundRow, outboundRow } from './seven-rows.js'
import type { SevenEvent } from './seven-shapes.js'

export { SevenCallbacks } from './seven-callbacks.js'
export type { SevenCallbacksOptions, SevenEvent, SevenOutcome, SevenShape } from './seven-callbacks.js'
export type { SevenInboundRow, SevenOutboundRow } from './seven-journal.js'

export interface SevenOptions {
  /** 0, the default: one that the OS chooses. */
  port?: number
  apiKey?: string
  /** `text`: a query for a single id is answered `STATUS`, line break, Unix seconds, as it was of old. */
  statusAnswer?: 'json' | 'text'
}

/** What the simulator knows of one message that was sent. */
export interface SevenMessage {
  /** Null: no status yet. */
  status: SevenStatus | null
  /** `YYYY-MM-DD HH:MM:SS`, no zone. */
  time: string | null
}

/** seven's server side: status query and logbook. The callbacks that seven makes are `SevenCallbacks`. */
export class SevenSimulator {
  /** Every request, oldest first. */
  readonly requests: { readonly at: number; readonly path: string; readonly query: string; status: number }[] = []
  readonly messages = new Map<string, SevenMessage>()
  readonly outbound: SevenOutboundRow[] = []
  readonly inbound: SevenInboundRow[] = []
  readonly apiKey: string
  readonly #statusAnswer: 'json' | 'text'
  #server: LocalServer | undefined
  #refusals = { left: 0, retryAfter: 0 }

  private constructor(options: SevenOptions) {
    this.apiKey = options.apiKey ?? 'demo-key'
    this.#statusAnswer = options.statusAnswer ?? 'json'
  }

  static async start(options: SevenOptions = {}): Promise<SevenSimulator> {
    const simulator = new SevenSimulator(options)
    simulator.#server = await serve((request, response) => simulator.#handle(request, response), options.port)
    return simulator
  }

  /** For `reconcile.url`. */
  get url(): string {
    return `${this.#server?.origin ?? ''}/api`
  }

  setStatus(messageId: string, status: SevenStatus | null, time: string | null = '2026-01-01 12:00:00'): void {
    this.messages.set(messageId, { status, time: status === null ? null : time })
  }

  /** It has happened: status query and logbook know of it, whether or not anybody hears of it. */
  record(event: SevenEvent, at = Date.now()): void {
    const now = berlin(at)
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

  /** Answers the next `times` requests with 429 and `Retry-After` in seconds. */
  refuse(times: number, retryAfter = 1): void {
    this.#refusals = { left: times, retryAfter }
  }

  async stop(): Promise<void> {
    await this.#server?.stop()
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', 'http://localhost')
    const body = await bodyOf(request)
    if (url.pathname === '/_control') return controlSeven(this, request.method, body, response)

    const record = { at: Date.now(), path: url.pathname, query: url.search, status: 0 }
    this.requests.push(record)
    response.once('finish', () => (record.status = response.statusCode))
    if (this.#refusals.left > 0) {
      this.#refusals.left -= 1
      response.writeHead(429, { 'retry-after': String(this.#refusals.retryAfter) }).end()
      return
    }
    // Errors of this API are HTTP 200 with a JSON string.
    if (request.headers['x-api-key'] !== this.apiKey) return answerJson(response, '900')
    if (request.method !== 'GET') return void response.writeHead(405, { allow: 'GET' }).end()

    switch (url.pathname) {
      case '/api/status':
        return this.#answerStatus(url.searchParams.get('msg_id') ?? '', response)
      case '/api/journal/outbound':
        return answerJson(response, journalPage(this.outbound, url.searchParams))
      case '/api/journal/inbound':
        return answerJson(response, journalPage(this.inbound, url.searchParams))
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
    const only = known[0]
    if (this.#statusAnswer === 'text' && ids.length === 1) {
      const seconds =
        only?.status_time == null ? 0 : Math.floor(Date.parse(`${only.status_time.replace(' ', 'T')}Z`) / 1_000)
      const lines = only?.status == null ? '' : `${only.status}\n${seconds}`
      response.writeHead(200, { 'content-type': 'text/plain' }).end(lines)
      return
    }
    answerJson(response, known)
  }
}

export function isSevenStatus(value: unknown): value is SevenStatus {
  return (SEVEN_STATUSES as readonly unknown[]).includes(value)
}
