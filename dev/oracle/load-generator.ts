/**
 * Load on both ways of intake at once. Rows are added to a queue of Mtarget, and callers send callbacks as seven does: in
 * every form, several states of one message one after the other, inbound messages, repetitions, repeated calls after an
 * answer was lost, and malformed input.
 *
 * What is sent follows from the seed; when it is sent depends on the machine. What was handed out is recorded by the
 * simulators themselves.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { until } from '../wait.js'
import type { MtargetSimulator } from '../simulators/mtarget.js'
import { ProviderData, SEVEN_STATUSES } from '../simulators/provider-data.js'
import { Random } from '../simulators/random.js'
import type { SevenCallbacks } from '../simulators/seven-callbacks.js'
import { messageEvent, receiptEvent, type SevenEvent, type SevenShape } from '../simulators/seven-requests.js'
import { BAD_CALLBACKS, badInputMark, badRow } from './bad-input.js'

export interface LoadOptions {
  readonly seed: number
  /** Callers at the same time. Default 5. */
  readonly callers?: number
  /** The longest pause between two callbacks of a caller. Default 30 ms. */
  readonly maxPauseMs?: number
  /** Rows that are added to the queue at once, twenty times a second. Default 12. */
  readonly rowsPerBatch?: number
}

/** The callbacks by which a caller reaches the connector; undefined while the connector does not run. */
export type CallbackTarget = (caller: number) => SevenCallbacks | undefined

const BATCH_INTERVAL_MS = 50
/** A queue that is not read proves no more with a million rows than with some hundred. */
const MAX_QUEUED_ROWS = 500
/** How many of the last events a caller remembers, to repeat one of them. */
const REMEMBERED_EVENTS = 50

const RECEIPT_SHAPES: readonly SevenShape[] = [
  'status-url',
  'status-url',
  'json',
  'form-nested',
  'form-flat',
  'multipart',
  'get',
]
const MESSAGE_SHAPES: readonly SevenShape[] = ['json', 'form-nested', 'form-flat', 'multipart', 'get']

export class LoadGenerator {
  readonly #mtarget: MtargetSimulator
  readonly #target: CallbackTarget
  readonly #options: Required<LoadOptions>
  readonly #stopped = new AbortController()
  readonly #callers: Caller[]
  #running: Promise<unknown> = Promise.resolve()
  #isPaused = false
  #callbacksUnderWay = 0
  #badItems = 0
  /** 1 is full speed; with 0.1 all pauses are ten times as long. */
  speed = 1

  constructor(mtarget: MtargetSimulator, target: CallbackTarget, options: LoadOptions) {
    this.#mtarget = mtarget
    this.#target = target
    this.#options = { callers: 5, maxPauseMs: 30, rowsPerBatch: 12, ...options }
    this.#callers = Array.from({ length: this.#options.callers }, (_, number) => new Caller(number, options.seed))
  }

  start(): void {
    this.#running = Promise.all([...this.#callers.map((caller) => this.#runCaller(caller)), this.#fillQueue()])
  }

  /** Stops handing out until `resume`. Resolves when no callback is under way. */
  async pause(): Promise<void> {
    this.#isPaused = true
    await until(() => this.#callbacksUnderWay === 0)
  }

  resume(): void {
    this.#isPaused = false
  }

  /** Stops handing out, and resolves when the last callback has ended. */
  async stop(): Promise<void> {
    this.#stopped.abort()
    await this.#running
  }

  /** Sends no event again that was sent before: for a connector whose duplicate index was deleted. */
  forgetSentEvents(): void {
    for (const caller of this.#callers) caller.forget()
  }

  async #fillQueue(): Promise<void> {
    const data = new ProviderData(this.#options.seed)
    const random = new Random(this.#options.seed)
    while (!this.#stopped.signal.aborted) {
      await this.#pauseFor(BATCH_INTERVAL_MS)
      if (this.#isPaused || this.#mtarget.queued > MAX_QUEUED_ROWS) continue
      const rows = data.mtargetTraffic(this.#options.rowsPerBatch)
      if (random.chance(0.1)) rows.splice(random.integer(0, rows.length), 0, badRow(this.#nextMark()))
      this.#mtarget.enqueue(rows)
    }
  }

  async #runCaller(caller: Caller): Promise<void> {
    const { random } = caller
    const rest = (): Promise<void> => this.#pauseFor(random.integer(0, this.#options.maxPauseMs))
    while (!this.#stopped.signal.aborted) {
      await rest()
      if (this.#isPaused || !this.#target(caller.number)) continue
      const repeated = caller.eventToRepeat()
      if (repeated) {
        await this.#send(caller, repeated)
      } else if (random.chance(0.01)) {
        await this.#call(caller, (target) => target.sendRaw(random.pick(BAD_CALLBACKS)(this.#nextMark())))
      } else if (random.chance(0.2)) {
        await this.#send(caller, caller.newMessage())
      } else {
        for (const event of caller.newReceipts()) {
          await this.#send(caller, event)
          await rest()
        }
      }
    }
  }

  async #send(caller: Caller, event: SevenEvent): Promise<void> {
    const shape = caller.random.pick(event.kind === 'dlr' ? RECEIPT_SHAPES : MESSAGE_SHAPES)
    const outcomes = await this.#call(caller, (target) => target.send([event], shape))
    if (outcomes) caller.remember(event, outcomes[0]?.status === 200)
  }

  /** @returns undefined when nothing was sent, because the load is paused or the connector does not run */
  async #call<T>(caller: Caller, send: (target: SevenCallbacks) => Promise<T>): Promise<T | undefined> {
    const target = this.#target(caller.number)
    if (this.#isPaused || !target) return undefined
    this.#callbacksUnderWay++
    try {
      return await send(target)
    } finally {
      this.#callbacksUnderWay--
    }
  }

  #nextMark(): string {
    this.#badItems++
    return badInputMark(this.#options.seed, this.#badItems)
  }

  async #pauseFor(ms: number): Promise<void> {
    await delay(ms / this.speed, undefined, { signal: this.#stopped.signal }).catch(() => undefined)
  }
}

/** Generates the events of one caller, and remembers which were sent. */
class Caller {
  readonly number: number
  readonly random: Random
  readonly #data: ProviderData
  readonly #unanswered: SevenEvent[] = []
  /** A sparse array: an event replaces another one at a random place. */
  readonly #sent: SevenEvent[] = []

  constructor(number: number, seed: number) {
    this.number = number
    this.random = new Random(seed * 101 + number)
    this.#data = new ProviderData(seed * 101 + number)
  }

  newMessage(): SevenEvent {
    const message = this.#data.sevenInbound(1)[0]!
    return messageEvent({ ...message, id: this.#ownId(message.id) })
  }

  /** One to three states of one message. */
  newReceipts(): SevenEvent[] {
    const msg_id = this.#ownId(this.#data.sevenReceipts(1)[0]!.msg_id)
    const statuses = Array.from({ length: this.random.integer(1, 3) }, () => this.random.pick(SEVEN_STATUSES))
    return [...new Set(statuses)].map((status) => receiptEvent({ msg_id, status }))
  }

  eventToRepeat(): SevenEvent | undefined {
    const unanswered = this.#unanswered.shift()
    if (unanswered) return unanswered
    return this.random.chance(0.05) ? this.#sent[this.random.integer(0, REMEMBERED_EVENTS)] : undefined
  }

  remember(event: SevenEvent, isAcknowledged: boolean): void {
    this.#sent[this.random.integer(0, REMEMBERED_EVENTS)] = event
    if (!isAcknowledged && this.random.chance(0.5)) this.#unanswered.push(event)
  }

  forget(): void {
    this.#unanswered.length = 0
    this.#sent.length = 0
  }

  /** Each caller generates ids by itself; the number in front keeps them apart. */
  #ownId(id: string): string {
    return `${this.number}${id}`
  }
}
