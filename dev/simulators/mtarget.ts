import type { IncomingMessage, ServerResponse } from 'node:http'
import type { MtargetRow } from './data.js'
import { answerJson, bodyOf, serve } from './http.js'
import type { LocalServer } from './http.js'
import { sendAnswer } from './mtarget-answer.js'
import { controlMtarget } from './mtarget-control.js'
import { takesRows } from './mtarget-fault.js'
import type { MtargetFault } from './mtarget-fault.js'

export type { MtargetFault } from './mtarget-fault.js'

export interface MtargetOptions {
  /** 0, the default: one that the OS chooses. */
  port?: number
  username?: string
  password?: string
  /** Such an account answers a request without `serviceid` with an error. */
  requiresServiceId?: boolean
  /** HTTP status of the account error; the documents don't say. */
  accountErrorStatus?: number
  /** Rows of a page when the request has no `max`. */
  defaultLimit?: number
  keepAliveTimeoutMs?: number
}

/** One answer, as an oracle needs it. */
export interface MtargetAnswer {
  /** Milliseconds since 1970, when the request was read. */
  readonly at: number
  readonly username: string
  readonly serviceId: string | undefined
  /** `max` of the request, or the default. */
  readonly limit: number
  readonly outcome: 'page' | 'account-error' | 'fault'
  /** What left the queue for it, in order. */
  readonly rows: readonly MtargetRow[]
  /** How many of them, from the first, are complete in the bytes that were sent. */
  rowsSent: number
  /** The whole answer was given to the connection, and that was still open. */
  delivered: boolean
  /** A later request of this account in the same run, and of the same process: from then on the rows sent are owed. */
  followed: boolean
  /** What the request's address says of the process that made it, `?process=…`; '' where it says nothing. */
  readonly process: string
  /** See `beginRun`. */
  readonly run: number
  /** What was made to go wrong with it. */
  readonly fault: MtargetFault
}

interface Queued {
  row: MtargetRow
  serviceId: string | undefined
}

/**
 * Mtarget's pull API as far as it is known: one destructive queue per account, receipts and messages mixed.
 *
 * Beside `POST /notification` there is `/_control` for the stand-alone simulator (see main.ts).
 */
export class MtargetSimulator {
  /** All answers so far, oldest first. */
  readonly answers: MtargetAnswer[] = []
  readonly #options: Required<Omit<MtargetOptions, 'port' | 'keepAliveTimeoutMs'>>
  #queue: Queued[] = []
  /** Answers of this run since which the account has not asked again. */
  #notFollowed: MtargetAnswer[] = []
  readonly #faults: { fault: MtargetFault; left: number }[] = []
  readonly #stopping = new AbortController()
  #server: LocalServer | undefined
  #run = 1

  private constructor(options: MtargetOptions) {
    this.#options = {
      username: options.username ?? 'demo',
      password: options.password ?? 'secret',
      requiresServiceId: options.requiresServiceId ?? false,
      accountErrorStatus: options.accountErrorStatus ?? 200,
      defaultLimit: options.defaultLimit ?? 50,
    }
  }

  static async start(options: MtargetOptions = {}): Promise<MtargetSimulator> {
    const simulator = new MtargetSimulator(options)
    simulator.#server = await serve(
      (request, response) => simulator.#handle(request, response),
      options.port,
      options.keepAliveTimeoutMs,
    )
    return simulator
  }

  /** For `pull.url`. */
  get url(): string {
    return `${this.#server?.origin ?? ''}/notification`
  }

  get username(): string {
    return this.#options.username
  }

  get password(): string {
    return this.#options.password
  }

  /** Rows that nobody has fetched yet. */
  get queued(): number {
    return this.#queue.length
  }

  /** Adds rows to the end of the queue; with a service id, only unfiltered requests and those for it get them. */
  enqueue(rows: readonly MtargetRow[], serviceId?: string): void {
    for (const row of rows) this.#queue.push({ row, serviceId })
  }

  /** The next `times` answers go wrong like this, after faults that were set before. */
  fault(fault: MtargetFault, times = 1): void {
    this.#faults.push({ fault, left: times })
  }

  clearFaults(): void {
    this.#faults.length = 0
  }

  /**
   * To be called when the client was killed and before it is started again: a request of the new process doesn't prove
   * that the old one had its last page in custody, so it makes nothing owed. A last request of the old one may still be
   * on its way here; only an address with `?process=…` tells whose it is.
   */
  beginRun(): void {
    this.#run += 1
    this.#notFollowed = []
  }

  /** Rows that the client must not lose: they were sent, and it came for more. */
  owed(): MtargetRow[] {
    return this.answers.filter((answer) => answer.followed).flatMap((answer) => answer.rows.slice(0, answer.rowsSent))
  }

  /** Cuts every connection, hanging ones too. */
  async stop(): Promise<void> {
    this.#stopping.abort()
    await this.#server?.stop()
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname: path, searchParams } = new URL(request.url ?? '/', 'http://localhost')
    const process = searchParams.get('process') ?? ''
    const body = await bodyOf(request)
    if (path === '/_control') return controlMtarget(this, request.method, body, response)
    if (path !== '/notification') return void response.writeHead(404).end('Not Found')
    if (request.method !== 'POST') return void response.writeHead(405, { allow: 'POST' }).end()

    const form = new URLSearchParams(body)
    const username = form.get('username') ?? ''
    const serviceId = form.get('serviceid') ?? undefined
    const asked = Number(form.get('max') ?? '')
    const limit = Number.isInteger(asked) && asked > 0 ? asked : this.#options.defaultLimit
    const isKnown = username === this.#options.username && form.get('password') === this.#options.password
    if (!isKnown || (this.#options.requiresServiceId && serviceId === undefined)) {
      this.#record({ outcome: 'account-error', username, serviceId, limit, process, rows: [], fault: {} }, response)
      return answerJson(response, ACCOUNT_ERROR, this.#options.accountErrorStatus)
    }

    for (const answer of this.#notFollowed) answer.followed ||= answer.process === process
    this.#notFollowed = this.#notFollowed.filter(({ followed }) => !followed)
    const fault = this.#nextFault()
    const rows = takesRows(fault) ? this.#take(limit, serviceId) : []
    const outcome = takesRows(fault) && fault.hang === undefined ? 'page' : 'fault'
    const answer = this.#record({ outcome, username, serviceId, limit, process, rows, fault }, response)
    this.#notFollowed.push(answer)
    await sendAnswer(response, rows, fault, this.#stopping.signal, (rowsSent) => (answer.rowsSent = rowsSent))
  }

  #record(
    asked: Omit<MtargetAnswer, 'at' | 'run' | 'rowsSent' | 'delivered' | 'followed'>,
    response: ServerResponse,
  ): MtargetAnswer {
    const sofar = { rowsSent: 0, delivered: false, followed: false }
    const answer: MtargetAnswer = { ...asked, ...sofar, at: Date.now(), run: this.#run }
    this.answers.push(answer)
    response.once('finish', () => (answer.delivered = true))
    return answer
  }

  #nextFault(): MtargetFault {
    const next = this.#faults[0]
    if (next === undefined) return {}
    next.left -= 1
    if (next.left <= 0) this.#faults.shift()
    return next.fault
  }

  #take(limit: number, serviceId: string | undefined): MtargetRow[] {
    if (serviceId === undefined) return this.#queue.splice(0, limit).map(({ row }) => row)
    const taken: MtargetRow[] = []
    this.#queue = this.#queue.filter((queued) => {
      if (queued.serviceId !== serviceId || taken.length >= limit) return true
      taken.push(queued.row)
      return false
    })
    return taken
  }
}

/** As the documents show it: a row among results, every value a string, "null" too. */
const ACCOUNT_ERROR = {
  results: [{ msisdn: 'null', smscount: '0', code: '-12', reason: 'invalid credential', ticket: 'null' }],
}
