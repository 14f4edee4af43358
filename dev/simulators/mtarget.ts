import type { IncomingMessage, ServerResponse } from 'node:http'
import { answerJson, bodyOf, serve, type LocalServer } from './local-server.js'
import { consumesRows, sendAnswer, type MtargetFault } from './mtarget-answer.js'
import { ProviderData, type MtargetRow } from './provider-data.js'

export type { MtargetFault } from './mtarget-answer.js'

export interface MtargetOptions {
  /** Default 0: the operating system chooses a free port. */
  port?: number
  username?: string
  password?: string
  /** The account answers a request without `serviceid` with an error. */
  requiresServiceId?: boolean
  /** HTTP status of the account error, which Mtarget does not document. Default 200. */
  accountErrorStatus?: number
  /** Rows of a page if the request has no `max`. */
  defaultLimit?: number
  keepAliveTimeoutMs?: number
}

/** One answer of the queue, with the facts from which the oracle decides what the client owes. */
export interface MtargetAnswer {
  /** When the request was read, in milliseconds since the epoch. */
  readonly at: number
  readonly username: string
  readonly serviceId: string | undefined
  /** `max` of the request, or the default. */
  readonly limit: number
  readonly outcome: 'page' | 'account-error' | 'fault'
  /** The rows that left the queue for this answer, in order. */
  readonly rows: readonly MtargetRow[]
  /** How many of `rows`, counted from the first, are complete in the bytes that were sent. */
  rowsSent: number
  /** Whether the whole answer was written to a connection that was still open. */
  delivered: boolean
  /** Whether the same client process has asked for another page since. From then on it owes the rows that were sent. */
  acknowledged: boolean
  /** The client process, as named by `?process=…` in the address of the request; an empty string without it. */
  readonly process: string
  /** The fault with which this answer was sent. */
  readonly fault: MtargetFault
}

interface QueuedRow {
  row: MtargetRow
  serviceId: string | undefined
}

/** The body of `POST /_control`. All fields may be combined. */
interface ControlRequest {
  /** How many generated receipts and messages are added to the queue. */
  receipts?: number
  messages?: number
  /** How many generated messages without `Status`, and long texts in parts, are added as well. */
  messagesWithoutStatus?: number
  longMessages?: number
  /** Rows that are added to the queue as they are. */
  rows?: MtargetRow[]
  serviceId?: string
  /** The fault of the next `times` answers; `times` is 1 by default. */
  fault?: MtargetFault
  times?: number
  clearFaults?: boolean
  seed?: number
}

/**
 * Mtarget's pull API as far as it is documented: one destructive queue per account, with receipts and messages mixed.
 *
 * Beside `POST /notification` it serves `/_control`, by which the stand-alone simulator is driven (see `main.ts`).
 */
export class MtargetSimulator {
  /** All answers so far, the oldest first. */
  readonly answers: MtargetAnswer[] = []
  readonly #options: Required<Omit<MtargetOptions, 'port' | 'keepAliveTimeoutMs'>>
  #queue: QueuedRow[] = []
  /** Answers after which their client has not asked again. */
  #unacknowledged: MtargetAnswer[] = []
  /** The passwords of the account. */
  #passwords: readonly string[]
  readonly #faults: { fault: MtargetFault; answersLeft: number }[] = []
  readonly #stopping = new AbortController()
  #server: LocalServer | undefined
  /** Generates the rows that `/_control` asks for. */
  #generator: ProviderData | undefined

  private constructor(options: MtargetOptions) {
    this.#options = {
      username: options.username ?? 'demo',
      password: options.password ?? 'secret',
      requiresServiceId: options.requiresServiceId ?? false,
      accountErrorStatus: options.accountErrorStatus ?? 200,
      defaultLimit: options.defaultLimit ?? 50,
    }
    this.#passwords = [this.#options.password]
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

  /** The value for `pull.url` of a source. */
  get url(): string {
    return `${this.#server?.origin ?? ''}/notification`
  }

  get username(): string {
    return this.#options.username
  }

  get password(): string {
    return this.#options.password
  }

  /** Replaces the password of the account, by several while it is rotated. */
  setPasswords(...passwords: readonly string[]): void {
    this.#passwords = passwords
  }

  /** The number of rows in the queue. */
  get queued(): number {
    return this.#queue.length
  }

  /** Whether the queue is empty and the last answer contained no rows. */
  get isDrained(): boolean {
    return this.#queue.length === 0 && this.answers.at(-1)?.rows.length === 0
  }

  /**
   * Adds rows to the end of the queue.
   * @param serviceId if given, only requests for this service and requests without a service get the rows
   */
  enqueue(rows: readonly MtargetRow[], serviceId?: string): void {
    for (const row of rows) this.#queue.push({ row, serviceId })
  }

  /** Sends the next `times` answers with this fault, after the faults that were set before. */
  fault(fault: MtargetFault, times = 1): void {
    this.#faults.push({ fault, answersLeft: times })
  }

  clearFaults(): void {
    this.#faults.length = 0
  }

  /**
   * Must be called after the client was killed and before it is started again. A request of the new process does not
   * prove that the old process had its last page in custody, so it acknowledges nothing. A last request of the old
   * process may still arrive later; only `?process=…` in the address distinguishes the two.
   */
  noteClientRestart(): void {
    this.#unacknowledged = []
  }

  /** The rows that the client must not lose: they were sent, and the client asked for more. */
  owed(): MtargetRow[] {
    const acknowledged = this.answers.filter((answer) => answer.acknowledged)
    return acknowledged.flatMap((answer) => answer.rows.slice(0, answer.rowsSent))
  }

  /** Cuts every connection, including those that a fault keeps hanging. */
  async stop(): Promise<void> {
    this.#stopping.abort()
    await this.#server?.stop()
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname, searchParams } = new URL(request.url ?? '/', 'http://localhost')
    const process = searchParams.get('process') ?? ''
    const body = await bodyOf(request)
    if (pathname === '/_control') return this.#handleControl(request.method, body, response)
    if (pathname !== '/notification') return void response.writeHead(404).end('Not Found')
    if (request.method !== 'POST') return void response.writeHead(405, { allow: 'POST' }).end()

    const form = new URLSearchParams(body)
    const username = form.get('username') ?? ''
    const serviceId = form.get('serviceid') ?? undefined
    const max = Number(form.get('max') ?? '')
    const limit = Number.isInteger(max) && max > 0 ? max : this.#options.defaultLimit
    const isKnown = username === this.#options.username && this.#passwords.includes(form.get('password') ?? '')
    if (!isKnown || (this.#options.requiresServiceId && serviceId === undefined)) {
      this.#record({ outcome: 'account-error', username, serviceId, limit, process, rows: [], fault: {} }, response)
      return answerJson(response, ACCOUNT_ERROR, this.#options.accountErrorStatus)
    }

    this.#acknowledgeAnswersTo(process)
    const fault = this.#nextFault()
    const rows = consumesRows(fault) ? this.#dequeue(limit, serviceId) : []
    const outcome = consumesRows(fault) && fault.hang === undefined ? 'page' : 'fault'
    const answer = this.#record({ outcome, username, serviceId, limit, process, rows, fault }, response)
    this.#unacknowledged.push(answer)
    await sendAnswer(response, rows, fault, this.#stopping.signal, (rowsSent) => {
      answer.rowsSent = rowsSent
    })
  }

  #acknowledgeAnswersTo(process: string): void {
    for (const answer of this.#unacknowledged) {
      if (answer.process === process) answer.acknowledged = true
    }
    this.#unacknowledged = this.#unacknowledged.filter(({ acknowledged }) => !acknowledged)
  }

  #record(
    known: Omit<MtargetAnswer, 'at' | 'rowsSent' | 'delivered' | 'acknowledged'>,
    response: ServerResponse,
  ): MtargetAnswer {
    const answer: MtargetAnswer = { ...known, at: Date.now(), rowsSent: 0, delivered: false, acknowledged: false }
    this.answers.push(answer)
    response.once('finish', () => {
      answer.delivered = true
    })
    return answer
  }

  #nextFault(): MtargetFault {
    const next = this.#faults[0]
    if (next === undefined) return {}
    next.answersLeft -= 1
    if (next.answersLeft <= 0) this.#faults.shift()
    return next.fault
  }

  #dequeue(limit: number, serviceId: string | undefined): MtargetRow[] {
    if (serviceId === undefined) return this.#queue.splice(0, limit).map(({ row }) => row)
    const taken: MtargetRow[] = []
    this.#queue = this.#queue.filter((queued) => {
      if (queued.serviceId !== serviceId || taken.length >= limit) return true
      taken.push(queued.row)
      return false
    })
    return taken
  }

  /** `POST` applies the JSON of the body. `GET` and `POST` both answer with what was handed out so far. */
  #handleControl(method: string | undefined, body: string, response: ServerResponse): void {
    if (method === 'POST') {
      let control: ControlRequest
      try {
        control = JSON.parse(body) as ControlRequest
      } catch (error) {
        return answerJson(response, { error: `The body is not JSON: ${String(error)}` }, 400)
      }
      this.#applyControl(control)
    }
    answerJson(response, {
      queued: this.queued,
      requests: this.answers.length,
      handedOut: this.answers.reduce((sum, { rows }) => sum + rows.length, 0),
      owed: this.owed().length,
      accountErrors: this.answers.filter(({ outcome }) => outcome === 'account-error').length,
      lastLimit: this.answers.at(-1)?.limit ?? null,
    })
  }

  #applyControl(control: ControlRequest): void {
    this.#generator ??= new ProviderData(control.seed)
    if (control.clearFaults === true) this.clearFaults()
    if (control.fault !== undefined) this.fault(control.fault, control.times)
    const generated = [
      ...this.#generator.mtargetReceipts(control.receipts ?? 0),
      ...this.#generator.mtargetMessages(control.messages ?? 0),
      ...this.#generator.mtargetMessagesWithoutStatus(control.messagesWithoutStatus ?? 0),
      ...this.#generator.mtargetParts(control.longMessages ?? 0),
    ]
    this.enqueue([...generated, ...(control.rows ?? [])], control.serviceId)
  }
}

/** The answer that Mtarget's documentation shows: a row among results in which every value is a string, "null" too. */
const ACCOUNT_ERROR = {
  results: [{ msisdn: 'null', smscount: '0', code: '-12', reason: 'invalid credential', ticket: 'null' }],
}
