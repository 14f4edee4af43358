/**
 * Load from both ways in, and the memory of what was handed out and acknowledged.
 *
 * What is sent comes from the seed; when, from the machine. Callbacks come as seven makes them: several states of one
 * message one after the other, messages, repetitions, some that went unanswered once more, a few that make no sense.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { ProviderData, SEVEN_STATUSES } from '../simulators/provider-data.js'
import { sendBurst } from '../simulators/callback-burst.js'
import { Random } from '../simulators/random.js'
import type { SevenCallbacks } from '../simulators/seven-callbacks.js'
import type { SevenEvent } from '../simulators/seven-requests.js'
import type { SevenShape } from '../simulators/seven-requests.js'
import type { Trial } from '../trial.js'
import { type Call, enterAnswers, enterCalls, enterFlood } from './handed-out.js'
import type { Oracle } from './oracle.js'

export interface LoadOptions {
  /** Callers at once. */
  readonly callers?: number
  /** Milliseconds between two calls of a caller, at most. */
  readonly pause?: number
  /** Rows that are put into the queue twenty times a second. */
  readonly rows?: number
  /** Whom a caller may call now, by the caller's number; undefined: nobody. */
  readonly target: (caller: number) => Target | undefined
  /** Where the calls of a caller arrive, if not all at one instance. */
  readonly lane?: (caller: number) => string
}

export type Target = Pick<SevenCallbacks, 'send' | 'sendRaw'>

/** What is to be sent once more, and what was sent before. */
interface Memory {
  readonly again: SevenEvent[]
  readonly sent: SevenEvent[]
}

const MOST_QUEUED = 500

const RECEIPT_SHAPES: readonly SevenShape[] = ['status-url', 'status-url', 'json', 'form-nested', 'form-flat', 'get']
const MESSAGE_SHAPES: readonly SevenShape[] = ['json', 'form-nested', 'form-flat', 'get']
const BAD_BODIES = [
  (mark: string) => ({ body: `<html>${mark}</html>`, contentType: 'text/html' }),
  (mark: string) => ({ body: `{"webhook_event":"dlr","data":{"msg_id":"${mark}`, contentType: 'application/json' }),
  (mark: string) => ({ query: `status=DELIVERED&note=${mark}` }),
]

export class LoadGenerator {
  readonly #trial: Trial
  readonly #options: Required<LoadOptions>
  readonly #seed: number
  readonly #calls: Call[] = []
  /** By caller. */
  readonly #memory: Memory[] = []
  readonly #ended = new AbortController()
  #running: Promise<unknown> = Promise.resolve()
  #paused = false
  #marks = 0
  #flooded = 0

  constructor(trial: Trial, seed: number, options: LoadOptions) {
    this.#trial = trial
    this.#seed = seed
    this.#options = { callers: 5, pause: 30, rows: 12, lane: () => '', ...options }
  }

  /** Callbacks that were answered 200. */
  get taken(): number {
    return this.#calls.filter(({ status }) => status === 200).length
  }

  start(): void {
    const callers = Array.from({ length: this.#options.callers }, (_, index) => this.#call(index))
    this.#running = Promise.all([...callers, this.#fill()])
  }

  /** Nothing new until `resume`; what is under way ends. */
  pause(): void {
    this.#paused = true
  }

  resume(): void {
    this.#paused = false
  }

  /** Nothing that was sent before is repeated: for a connector that has lost its memory. */
  forget(): void {
    for (const memory of this.#memory) {
      memory.again.length = 0
      memory.sent.length = 0
    }
  }

  /**
   * So many receipts as fast as they are taken, beside all else.
   * @throws Error when one is not answered 200
   */
  async flood(count: number): Promise<{ readonly seconds: number }> {
    const { seconds, refused } = await sendBurst({
      url: this.#trial.callbackUrl,
      first: this.#flooded,
      count,
      connections: 64,
    })
    if (refused > 0) throw new Error(`${refused} of ${count} callbacks were not answered 200`)
    this.#flooded += count
    return { seconds }
  }

  /** Resolves when the last call has ended. */
  async stop(): Promise<void> {
    this.#ended.abort()
    await this.#running
  }

  /** All that was handed out so far. */
  enter(oracle: Oracle): void {
    enterCalls(oracle, this.#calls)
    enterFlood(oracle, this.#flooded)
    enterAnswers(oracle, this.#trial.mtarget.answers)
  }

  async #fill(): Promise<void> {
    const data = new ProviderData(this.#seed)
    const random = new Random(this.#seed)
    while (!this.#ended.signal.aborted) {
      await delay(50)
      // A queue that nobody reads says no more at a million rows than at some hundred.
      if (this.#paused || this.#trial.mtarget.queued > MOST_QUEUED) continue
      const rows = data.mtargetMix(this.#options.rows)
      if (random.chance(0.1)) {
        const bad = { MsgId: this.#mark(), Status: '5', OriginatedAddress: '33612345678', DestinationAdress: '36111' }
        rows.splice(random.integer(0, rows.length), 0, bad)
      }
      this.#trial.mtarget.enqueue(rows)
    }
  }

  async #call(index: number): Promise<void> {
    const random = new Random(this.#seed * 101 + index)
    const data = new ProviderData(this.#seed * 101 + index)
    const memory: Memory = { again: [], sent: [] }
    const { again, sent } = (this.#memory[index] = memory)
    const make = async (event: SevenEvent): Promise<void> => {
      const target = this.#options.target(index)
      if (!target) return
      const shapes = event.kind === 'dlr' ? RECEIPT_SHAPES : MESSAGE_SHAPES
      const from = performance.now()
      const [outcome] = await target.send([event], random.pick(shapes))
      const status = outcome?.status
      this.#calls.push({
        lane: this.#options.lane(index),
        event,
        mark: undefined,
        from,
        until: performance.now(),
        status,
      })
      sent[random.integer(0, 50)] = event
      if (status !== 200 && random.chance(0.5)) again.push(event)
    }
    const rest = (): Promise<void> => delay(random.integer(0, this.#options.pause))
    while (!this.#ended.signal.aborted) {
      await rest()
      const target = this.#options.target(index)
      if (this.#paused || !target) continue
      const repeated = again.shift() ?? (random.chance(0.05) ? sent[random.integer(0, 50)] : undefined)
      if (repeated) await make(repeated)
      else if (random.chance(0.01)) await this.#callBadly(target, index, random)
      else if (random.chance(0.2)) await make({ kind: 'sms_mo', data: distinct(data.sevenInbound(1)[0]!, index) })
      else {
        const { msg_id } = distinct(data.sevenReceipts(1)[0]!, index)
        const states = Array.from({ length: random.integer(1, 3) }, () => random.pick(SEVEN_STATUSES))
        for (const status of new Set(states)) {
          await make({ kind: 'dlr', data: { msg_id, status } })
          await rest()
        }
      }
    }
  }

  async #callBadly(target: Target, caller: number, random: Random): Promise<void> {
    const mark = this.#mark()
    const from = performance.now()
    const { status } = await target.sendRaw(random.pick(BAD_BODIES)(mark))
    this.#calls.push({
      lane: this.#options.lane(caller),
      event: undefined,
      mark,
      from,
      until: performance.now(),
      status,
    })
  }

  #mark(): string {
    return `bad-item-${this.#seed}-${this.#marks++}`
  }
}

/** Callers generate apart from each other: a digit in front keeps their ids apart. */
const distinct = <Data extends { id: string } | { msg_id: string }>(data: Data, caller: number): Data =>
  'id' in data ? { ...data, id: `${caller}${data.id}` } : { ...data, msg_id: `${caller}${data.msg_id}` }
