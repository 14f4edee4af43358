/** Assertions about a trial, and the callbacks that most trials send. */
import { expect } from 'vitest'
import { listProblems } from '../../dev/oracle/oracle.js'
import type { TopicRecord } from '../../dev/oracle/topic-reader.js'
import type { ProviderData, SevenReceipt } from '../../dev/simulators/provider-data.js'
import type { SevenOutcome } from '../../dev/simulators/seven-callbacks.js'
import { receiptEvent } from '../../dev/simulators/seven-requests.js'
import type { Trial } from '../../dev/trial.js'

/**
 * Every acknowledged item is there exactly once as the documents demand, and nothing is there that was not handed out.
 * @param otherReceipts acknowledged receipts that were not sent by the simulators of the trial
 */
export function expectEachItemOnce(
  trial: Trial,
  records: readonly TopicRecord[],
  otherReceipts: readonly SevenReceipt[] = [],
): void {
  const outcomes = otherReceipts.map((receipt) => {
    const event = receiptEvent(receipt)
    return { event, rawContent: '', startedAt: 0, endedAt: 0, status: 200, error: undefined }
  })
  const verdict = trial.audit(records, { callbacks: [trial.seven, { outcomes }] })
  expect(listProblems(verdict)).toEqual([])
}

/** Sends `count` receipts of seven to the status URL. */
export async function sendReceipts(trial: Trial, data: ProviderData, count: number): Promise<SevenOutcome[]> {
  return trial.seven.send(data.sevenReceipts(count).map(receiptEvent))
}

/** The different answers to callbacks: HTTP statuses, and the errors of callbacks that were not answered. */
export const distinctAnswers = (outcomes: readonly SevenOutcome[]): unknown[] => [
  ...new Set(outcomes.map(({ status, error }) => status ?? error)),
]
