/** Reports to the oracle what the simulated providers handed out, and what of it the connector acknowledged. */
import { burstReceipt } from '../simulators/callback-burst.js'
import type { MtargetAnswer } from '../simulators/mtarget.js'
import { renderPage } from '../simulators/mtarget-page.js'
import type { MtargetRow } from '../simulators/provider-data.js'
import type { SevenCallbacks, SevenOutcome } from '../simulators/seven-callbacks.js'
import { findBadInputMark } from './bad-input.js'
import { contentKey } from './content-key.js'
import {
  isMtargetMessage,
  MTARGET_SOURCE,
  mtargetRecord,
  SEVEN_SOURCE,
  sevenMessageRecord,
  sevenReceiptRecord,
} from './expected-records.js'
import { Oracle, withoutPageStart, type HandedOutItem, type PageRemainder, type Verdict } from './oracle.js'
import type { TopicRecord, Topics } from './topic-reader.js'

export interface HandedOut {
  /** The answers of Mtarget's queue, in order. */
  readonly answers: readonly MtargetAnswer[]
  /** The callbacks of seven, one entry for each instance of the connector that is called. */
  readonly callbacks: readonly Pick<SevenCallbacks, 'outcomes'>[]
  /** The size of the bursts of callbacks, all of them answered with 200. */
  readonly burstSize?: number
}

/** Compares everything that was handed out with the records on the topics. */
export function audit(topics: Topics, handedOut: HandedOut, records: Iterable<TopicRecord>): Verdict {
  const oracle = new Oracle(topics)
  for (const [instance, { outcomes }] of handedOut.callbacks.entries()) {
    for (const outcome of outcomes) addCallback(oracle, outcome, String(instance))
  }
  for (let number = 0; number < (handedOut.burstSize ?? 0); number++) addBurstReceipt(oracle, number)
  addAnswers(oracle, handedOut.answers)
  return oracle.audit(records)
}

function addCallback(oracle: Oracle, outcome: SevenOutcome, instance: string): void {
  const { event, rawContent, startedAt, endedAt, status } = outcome
  const acknowledgedAt = status === 200 ? endedAt : undefined
  const common = { source: SEVEN_SOURCE, instance, startedAt, acknowledgedAt }
  if (event === undefined) {
    const mark = findBadInputMark(rawContent)
    if (mark !== undefined) oracle.addItem({ ...common, kind: 'deadLetter', content: mark, hasIdentity: false })
    return
  }
  const item = { ...common, content: contentKey({ ...event.data }), hasIdentity: true }
  if (event.kind === 'dlr') oracle.addItem({ ...item, kind: 'dlr', expected: () => sevenReceiptRecord(event.data) })
  else oracle.addItem({ ...item, kind: 'mo', expected: () => sevenMessageRecord(event.data) })
}

function addBurstReceipt(oracle: Oracle, number: number): void {
  oracle.addItem({
    source: SEVEN_SOURCE,
    kind: 'dlr',
    content: contentKey({ ...burstReceipt(number) }),
    expected: () => sevenReceiptRecord(burstReceipt(number)),
    hasIdentity: true,
    // Each receipt of a burst has a message of its own, so that there is no order among them.
    startedAt: 0,
    acknowledgedAt: 0,
  })
}

function addAnswers(oracle: Oracle, answers: readonly MtargetAnswer[]): void {
  let place = 0
  for (const answer of answers) {
    for (const [index, row] of answer.rows.entries()) {
      place++
      const isOwed = answer.acknowledged && index < answer.rowsSent
      oracle.addItem({
        ...mtargetItem(row),
        startedAt: place,
        acknowledgedAt: isOwed ? place : undefined,
        isOnlyCopy: true,
        isEndless: answer.fault.endless === true,
      })
    }
    for (const remainder of remaindersOf(answer)) oracle.addRemainder(remainder)
  }
}

function mtargetItem(row: MtargetRow): Omit<HandedOutItem, 'startedAt' | 'acknowledgedAt'> {
  const source = MTARGET_SOURCE
  const mark = findBadInputMark(row['MsgId'] ?? '')
  if (mark !== undefined) return { source, kind: 'deadLetter', content: mark, hasIdentity: false }
  const item = { source, content: contentKey(row), expected: () => mtargetRecord(row) }
  // Two handsets, or one handset twice, may send the same text: a message of Mtarget has no identity.
  return isMtargetMessage(row)
    ? { ...item, kind: 'mo', hasIdentity: false }
    : { ...item, kind: 'dlr', hasIdentity: true }
}

function remaindersOf({ rows, rowsSent, acknowledged, fault }: MtargetAnswer): PageRemainder[] {
  const source = MTARGET_SOURCE
  if (fault.body !== undefined) return [{ source, bytes: Buffer.from(fault.body), isOwed: acknowledged }]
  const { bytes, rowEnds } = renderPage(rows, { encoding: 'utf8', numbers: fault.numbers === true })
  if (fault.endless === true) {
    return rowEnds.map((end, index) => {
      const row = bytes.subarray(rowEnds[index - 1] ?? 0, end)
      return { source, bytes: withoutPageStart(row), isOwed: false }
    })
  }
  const bytesSent = fault.cutAfterBytes ?? fault.destroyAfterBytes ?? bytes.length
  if (bytesSent >= bytes.length || fault.hang !== undefined) return []
  const remainder = bytes.subarray(rowEnds[rowsSent - 1] ?? 0, bytesSent)
  return [{ source, bytes: withoutPageStart(remainder), isOwed: acknowledged }]
}
