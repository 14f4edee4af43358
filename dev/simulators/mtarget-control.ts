import type { ServerResponse } from 'node:http'
import { ProviderData } from './data.js'
import type { MtargetRow } from './data.js'
import { answerJson } from './http.js'
import type { MtargetFault } from './mtarget-fault.js'
import type { MtargetSimulator } from './mtarget.js'

/** What `POST /_control` takes; all fields may be combined. */
interface Control {
  /** Puts so many made-up rows into the queue. */
  receipts?: number
  messages?: number
  /** Puts these rows into the queue. */
  rows?: MtargetRow[]
  serviceId?: string
  /** The next `times` (1) answers go wrong like this. */
  fault?: MtargetFault
  times?: number
  clearFaults?: boolean
  seed?: number
}

const generators = new WeakMap<MtargetSimulator, ProviderData>()

/** `POST` does what the JSON says; `GET` and `POST` both answer with what was handed out so far. */
export function controlMtarget(
  simulator: MtargetSimulator,
  method: string | undefined,
  body: string,
  response: ServerResponse,
): void {
  if (method === 'POST') {
    let control: Control
    try {
      control = JSON.parse(body) as Control
    } catch (error) {
      return answerJson(response, { error: `not JSON: ${String(error)}` }, 400)
    }
    apply(simulator, control)
  }
  const pages = simulator.answers.filter((answer) => answer.rows.length > 0)
  answerJson(response, {
    queued: simulator.queued,
    requests: simulator.answers.length,
    handedOut: pages.reduce((sum, answer) => sum + answer.rows.length, 0),
    owed: simulator.owed().length,
    accountErrors: simulator.answers.filter((answer) => answer.outcome === 'account-error').length,
    lastLimit: simulator.answers.at(-1)?.limit ?? null,
  })
}

function apply(simulator: MtargetSimulator, control: Control): void {
  const data = generators.get(simulator) ?? new ProviderData(control.seed)
  generators.set(simulator, data)
  if (control.clearFaults === true) simulator.clearFaults()
  if (control.fault !== undefined) simulator.fault(control.fault, control.times)
  simulator.enqueue(
    [
      ...data.mtargetReceipts(control.receipts ?? 0),
      ...data.mtargetMessages(control.messages ?? 0),
      ...(control.rows ?? []),
    ],
    control.serviceId,
  )
}
