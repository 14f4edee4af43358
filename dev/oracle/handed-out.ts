/** What the load handed out, as the oracle wants it told: by whom, where it belongs, from when to when. */
import { contentKey } from '../demo/ledger.js'
import { burstReceipt } from '../simulators/callback-burst.js'
import type { MtargetAnswer } from '../simulators/mtarget.js'
import { renderPage } from '../simulators/mtarget-page.js'
import type { SevenEvent } from '../simulators/seven-requests.js'
import { fromMtarget, fromSeven, fromSevenInbound } from './expected-records.js'
import { type Oracle, type Remnant, withoutHead } from './oracle.js'

/** A callback; times are milliseconds of one clock. */
export interface Call {
  readonly lane: string
  readonly event: SevenEvent | undefined
  readonly mark: string | undefined
  readonly from: number
  readonly until: number
  readonly status: number | undefined
}

const MARK = /bad-item-\d+-\d+/
export const markIn = (text: string): string | undefined => MARK.exec(text)?.[0]

export function enterCalls(oracle: Oracle, calls: readonly Call[]): void {
  for (const { lane, event, mark, from, until: end, status } of calls) {
    const until = status === 200 ? end : undefined
    const source = 'seven-main'
    if (mark !== undefined) oracle.handedOut({ source, lane, topic: 'deadLetter', content: mark, from, until })
    if (event === undefined) continue
    const [topic, expected] =
      event.kind === 'dlr'
        ? (['dlr', () => fromSeven(event.data)] as const)
        : (['mo', () => fromSevenInbound(event.data)] as const)
    oracle.handedOut({ source, lane, topic, content: contentKey({ ...event.data }), expected, from, until })
  }
}

/** The first so many receipts of a flood, all of them answered 200. */
export function enterFlood(oracle: Oracle, count: number): void {
  for (let number = 0; number < count; number++) {
    const content = contentKey({ ...burstReceipt(number) })
    const expected = () => fromSeven(burstReceipt(number))
    // One message each: there is no order among them.
    oracle.handedOut({ source: 'seven-main', topic: 'dlr', content, expected, from: 0, until: 0 })
  }
}

export function enterAnswers(oracle: Oracle, answers: readonly MtargetAnswer[]): void {
  let place = 0
  for (const answer of answers) {
    const { rows, rowsSent, acknowledged: followed, fault } = answer
    for (const [index, row] of rows.entries()) {
      place++
      const until = followed && index < rowsSent ? place : undefined
      const common = { source: 'mtarget-fr', onlyCopy: true, from: place, until, mayRepeat: fault.endless === true }
      const mark = markIn(row['MsgId'] ?? '')
      if (mark !== undefined) {
        oracle.handedOut({ ...common, topic: 'deadLetter', content: mark })
        continue
      }
      const topic = row['Status'] === '5' ? 'mo' : 'dlr'
      oracle.handedOut({ ...common, topic, content: contentKey(row), expected: () => fromMtarget(row) })
    }
    for (const remnant of remnantsOf(answer)) oracle.cut(remnant)
  }
}

/** What of an answer was neither a whole row nor the end of a page. */
function remnantsOf({ rows, rowsSent, acknowledged: owed, fault }: MtargetAnswer): Remnant[] {
  if (fault.body !== undefined) return [{ bytes: Buffer.from(fault.body), owed }]
  const { bytes, rowEnds } = renderPage(rows, { encoding: 'utf8', numbers: fault.numbers === true })
  if (fault.endless === true) {
    return rowEnds.map((end, index) => ({
      bytes: withoutHead(bytes.subarray(rowEnds[index - 1] ?? 0, end)),
      owed: false,
    }))
  }
  const cut = fault.cutAfterBytes ?? fault.destroyAfterBytes ?? bytes.length
  if (cut >= bytes.length || fault.hang !== undefined) return []
  return [{ bytes: withoutHead(bytes.subarray(rowEnds[rowsSent - 1] ?? 0, cut)), owed }]
}
