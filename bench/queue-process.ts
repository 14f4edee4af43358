/**
 * A queue of Mtarget in a process of its own. Its rows are rendered in advance except for their message ids, which are never
 * repeated, so that no row is a duplicate. A request of the parent fills the queue and is answered once it is empty.
 */
import { bodyOf, serve } from '../dev/simulators/local-server.js'
import { ProviderData } from '../dev/simulators/provider-data.js'
import { serveParent, settingsFromParent } from './child.js'

export interface QueueSettings {
  /** The number of different rows before they come again with other message ids. */
  readonly distinctRows: number
  /** Characters that are added to each row, to make records larger. */
  readonly paddingChars?: number
}

export interface QueueRequest {
  readonly rows: number
}

export interface QueueReply {
  /** Milliseconds from the first request that got rows to the last one. */
  readonly handedOutMs: number
  /** When the first rows were asked for, and when the queue was first found empty; `Date.now()` with fractions. */
  readonly startedAt: number
  readonly foundEmptyAt: number
  readonly pages: number
  /** CPU seconds of this process meanwhile. */
  readonly cpuSeconds: number
}

const { distinctRows, paddingChars = 0 } = settingsFromParent<QueueSettings>()
const ROW_START = '{"MsgId":"'
const padding: Readonly<Record<string, string>> = paddingChars === 0 ? {} : { Padding: 'x'.repeat(paddingChars) }

/** Of each row what follows its message id. */
const rowEnds = new ProviderData(2).mtargetMix(distinctRows).map((row) => {
  const { MsgId: messageId = '', ...rest } = { ...row, ...padding }
  return JSON.stringify({ MsgId: messageId, ...rest }).slice(ROW_START.length + messageId.length)
})

const now = (): number => performance.timeOrigin + performance.now()

let nextRow = 0
let rowsLeft = 0
let pages = 0
let startedAt = 0
let lastPageAt = 0
let cpuAtStart = process.cpuUsage()
let resolveEmpty: ((reply: QueueReply) => void) | undefined

function nextPage(limit: number): string {
  const count = Math.min(limit, rowsLeft)
  rowsLeft -= count
  const rows: string[] = []
  for (let index = 0; index < count; index++) {
    const messageId = `${process.pid.toString(16).padStart(8, '0')}-${String(nextRow).padStart(10, '0')}`
    rows.push(ROW_START + messageId + rowEnds[nextRow % rowEnds.length]!)
    nextRow++
  }
  return `{"results":[${rows.join(',')}]}`
}

function noteRequest(): void {
  if (rowsLeft > 0) {
    if (startedAt === 0) {
      startedAt = now()
      cpuAtStart = process.cpuUsage()
    }
    pages++
    lastPageAt = now()
    return
  }
  if (startedAt === 0) return
  const { user, system } = process.cpuUsage(cpuAtStart)
  const handedOutMs = lastPageAt - startedAt
  resolveEmpty?.({ handedOutMs, startedAt, foundEmptyAt: now(), pages, cpuSeconds: (user + system) / 1e6 })
  startedAt = 0
}

const server = await serve(
  async (request, response) => {
    const limit = Number(new URLSearchParams(await bodyOf(request)).get('max'))
    noteRequest()
    response.writeHead(200, { 'content-type': 'application/json' }).end(nextPage(limit))
  },
  0,
  60_000,
)

serveParent<QueueRequest, QueueReply>(server.origin, ({ rows }) => {
  pages = 0
  const empty = new Promise<QueueReply>((resolve) => (resolveEmpty = resolve))
  rowsLeft = rows
  return empty
})
