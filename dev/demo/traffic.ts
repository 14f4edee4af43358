import { setTimeout as delay } from 'node:timers/promises'
import { ProviderData } from '../simulators/provider-data.js'
import type { MtargetSimulator } from '../simulators/mtarget.js'
import type { SevenCallbacks } from '../simulators/seven-callbacks.js'
import type { SevenEvent } from '../simulators/seven-requests.js'
import type { SevenShape } from '../simulators/seven-requests.js'
import type { Ledger } from './ledger.js'
import { contentKey } from './ledger.js'

export const MTARGET = 'mtarget-demo'
export const SEVEN = 'seven-demo'

const TICK_MS = 100
const MTARGET_ROWS_PER_TICK = 16
const SEVEN_RECEIPTS_PER_TICK = 8
const MESSAGE_SHAPES: readonly SevenShape[] = ['json', 'form-nested', 'form-flat', 'get']

/** Every bad item carries its own mark, by which its dead letter is recognised. */
const MARK = /bad-item-\d+/

/** Keeps both providers busy, and knows what they handed out. */
export class Traffic {
  readonly #mtarget: MtargetSimulator
  readonly #seven: SevenCallbacks
  readonly #data = new ProviderData(2026)
  readonly #bad: { source: string; mark: string; owed: () => boolean }[] = []
  #paused: Promise<void> | undefined

  constructor(mtarget: MtargetSimulator, seven: SevenCallbacks) {
    this.#mtarget = mtarget
    this.#seven = seven
  }

  /**
   * No callbacks while the connector is away: seven makes each once, so these would only show that a closed port takes
   * nothing in. Those under way are not spared.
   */
  pauseCallbacksUntil(resumed: Promise<unknown>): void {
    this.#paused = resumed.then(
      () => undefined,
      () => undefined,
    )
  }

  /** Feeds both until `signal` aborts. */
  async run(signal: AbortSignal, share = 1): Promise<void> {
    for (let tick = 0; !signal.aborted; tick += 1) {
      this.#mtarget.enqueue(this.#data.mtargetMix(Math.max(1, Math.round(MTARGET_ROWS_PER_TICK * share))))
      const receipts = this.#data.sevenReceipts(Math.max(1, Math.round(SEVEN_RECEIPTS_PER_TICK * share)))
      await this.#paused
      await this.#seven.send(receipts.map((data): SevenEvent => ({ kind: 'dlr', data })))
      const shape = MESSAGE_SHAPES[tick % MESSAGE_SHAPES.length] ?? 'json'
      await this.#seven.send(
        this.#data.sevenInbound(1).map((data): SevenEvent => ({ kind: 'sms_mo', data })),
        shape,
      )
      await delay(share < 1 ? 1_000 : TICK_MS)
    }
  }

  /** A few things that no connector can make sense of. */
  async sendBadItems(): Promise<void> {
    const call = async (mark: string, raw: Parameters<SevenCallbacks['sendRaw']>[0]): Promise<void> => {
      const outcome = await this.#seven.sendRaw(raw)
      this.#bad.push({ source: SEVEN, mark, owed: () => outcome.status === 200 })
    }
    await call('bad-item-1', { query: 'status=DELIVERED&note=bad-item-1' })
    await call('bad-item-2', {
      body: '{"webhook_event":"dlr","data":{"msg_id":"bad-item-2',
      contentType: 'application/json',
    })
    await call('bad-item-3', { body: '<html>bad-item-3</html>', contentType: 'text/html' })

    const row = { MsgId: 'bad-item-4', Status: '5', OriginatedAddress: '33612345678', DestinationAdress: '36111' }
    this.#mtarget.enqueue([row])
    this.#bad.push({ source: MTARGET, mark: 'bad-item-4', owed: () => this.#mtarget.owed().includes(row) })
    this.#mtarget.fault({ body: '<html>bad-item-5: maintenance</html>', headers: { 'content-type': 'text/html' } })
    const isOwed = (): boolean =>
      this.#mtarget.answers.some(({ outcome, acknowledged: followed }) => outcome === 'fault' && followed)
    this.#bad.push({ source: MTARGET, mark: 'bad-item-5', owed: isOwed })
  }

  /** Whether the queue is empty, and the client knows. */
  isDrained(): boolean {
    return this.#mtarget.queued === 0 && this.#mtarget.answers.at(-1)?.rows.length === 0
  }

  /** Writes down all that was handed out so far. */
  enter(ledger: Ledger): void {
    for (const { rows, rowsSent, acknowledged: followed } of this.#mtarget.answers) {
      for (const [index, row] of rows.entries()) {
        if (MARK.test(row['MsgId'] ?? '')) continue
        const kind = row['Status'] === '5' ? 'messages' : 'receipts'
        ledger.handedOut(MTARGET, kind, contentKey(row), followed && index < rowsSent)
      }
    }
    for (const { event, status } of this.#seven.outcomes) {
      if (event === undefined) continue
      const kind = event.kind === 'dlr' ? 'receipts' : 'messages'
      ledger.handedOut(SEVEN, kind, contentKey({ ...event.data }), status === 200)
    }
    for (const { source, mark, owed } of this.#bad) ledger.handedOut(source, 'bad input', mark, owed())
  }

  get handedOut(): number {
    return this.#mtarget.answers.reduce((sum, { rows }) => sum + rows.length, 0)
  }

  get answered(): number {
    return this.#seven.owed().length
  }
}

/** The mark of the bad item in these bytes or words, if there is one. */
export function markIn(...texts: string[]): string | undefined {
  return texts.map((text) => MARK.exec(text)?.[0]).find((mark) => mark !== undefined)
}
