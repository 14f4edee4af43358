import type { ServerResponse } from 'node:http'
import { ProviderData } from './data.js'
import { answerJson } from './http.js'
import { SevenCallbacks } from './seven-callbacks.js'
import type { SevenEvent, SevenShape } from './seven-shapes.js'
import { isSevenStatus } from './seven.js'
import type { SevenSimulator } from './seven.js'

/** What `POST /_control` takes; all fields may be combined. */
interface Control {
  /** Makes callbacks, once each, before it answers; what nobody takes is found in the logbook, as at seven. */
  callbacks?: {
    url: string
    receipts?: number
    messages?: number
    /** Default: the status URL of old for receipts, JSON for messages. */
    shape?: SevenShape
    concurrency?: number
    signingKey?: string
  }
  /** What the status query answers, by message id; null: no status yet. */
  statuses?: Record<string, string | null>
  /** Answers the next so many queries with 429. */
  refuse?: { times: number; retryAfter?: number }
}

/** One generator per simulator: the second lot of callbacks must not repeat the message ids of the first. */
const generators = new WeakMap<SevenSimulator, ProviderData>()

/** `POST` does what the JSON says and answers with what became of the callbacks; `GET` shows the requests so far. */
export async function controlSeven(
  simulator: SevenSimulator,
  method: string | undefined,
  body: string,
  response: ServerResponse,
): Promise<void> {
  let control: Control = {}
  try {
    if (method === 'POST') control = JSON.parse(body) as Control
  } catch (error) {
    return answerJson(response, { error: `not JSON: ${String(error)}` }, 400)
  }
  for (const [id, status] of Object.entries(control.statuses ?? {})) {
    if (status !== null && !isSevenStatus(status))
      return answerJson(response, { error: `no such status: ${status}` }, 400)
    simulator.setStatus(id, status)
  }
  if (control.refuse) simulator.refuse(control.refuse.times, control.refuse.retryAfter)

  const answered = control.callbacks ? await makeCallbacks(simulator, control.callbacks) : undefined
  answerJson(response, { requests: simulator.requests.length, messages: simulator.messages.size, callbacks: answered })
}

/** How many callbacks got which answer, e.g. `{"200": 100, "no answer": 2}`. */
async function makeCallbacks(
  simulator: SevenSimulator,
  wanted: NonNullable<Control['callbacks']>,
): Promise<Record<string, number>> {
  const data = generators.get(simulator) ?? new ProviderData()
  generators.set(simulator, data)
  const { url, concurrency, signingKey } = wanted
  const callbacks = new SevenCallbacks({
    url,
    ...(concurrency === undefined ? {} : { concurrency }),
    ...(signingKey === undefined ? {} : { signingKey }),
  })
  const receipts = data.sevenReceipts(wanted.receipts ?? 0).map((event): SevenEvent => ({ kind: 'dlr', data: event }))
  const messages = data.sevenInbound(wanted.messages ?? 0).map((event): SevenEvent => ({ kind: 'sms_mo', data: event }))
  for (const event of [...receipts, ...messages]) simulator.record(event)
  await callbacks.send(receipts, wanted.shape ?? 'status-url')
  await callbacks.send(messages, wanted.shape ?? 'json')
  callbacks.stop()

  const counts: Record<string, number> = {}
  for (const { status } of callbacks.outcomes) {
    const key = status === undefined ? 'no answer' : String(status)
    counts[key] = (counts[key] ?? 0) + 1
  }
  return counts
}
