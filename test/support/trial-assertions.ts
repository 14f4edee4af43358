/** What is owed, and what came out: the question behind every trial. */
import { expect } from 'vitest'
import { contentKey } from '../../dev/demo/ledger.js'
import type { TopicRecord } from '../../dev/oracle/topic-reader.js'
import type { MtargetRow, ProviderData } from '../../dev/simulators/provider-data.js'
import type { SevenOutcome } from '../../dev/simulators/seven-callbacks.js'
import type { Trial } from '../../dev/trial.js'

/** What the connector said 200 to, or asked for more behind, must be on a topic; nothing may be there twice. */
export function expectEachItemOnce(trial: Trial, seen: readonly TopicRecord[], more: readonly MtargetRow[] = []): void {
  const times = new Map<string, number>()
  for (const { topic, value } of seen) {
    if (topic === trial.topics.deadLetter) continue
    const key = contentKey(value['raw'] as Record<string, string>)
    times.set(key, (times.get(key) ?? 0) + 1)
  }
  const owed = [...trial.mtarget.owed(), ...more, ...trial.seven.owed().map(({ data }) => ({ ...data }))].map(
    contentKey,
  )
  expect(owed.filter((key) => !times.has(key))).toEqual([])
  expect([...times].filter(([, count]) => count > 1)).toEqual([])
  expect(seen.filter(({ topic }) => topic === trial.topics.deadLetter)).toEqual([])
}

/** @returns how each was answered: 200, or what it was instead */
export async function sendReceipts(trial: Trial, data: ProviderData, count: number): Promise<SevenOutcome[]> {
  return trial.seven.send(data.sevenReceipts(count).map((receipt) => ({ kind: 'dlr', data: receipt })))
}

export const distinctAnswers = (outcomes: readonly SevenOutcome[]): unknown[] => [
  ...new Set(outcomes.map(({ status, error }) => status ?? error)),
]

/** Calls and fills the queue, some hundred items a second, until it is stopped. */
export class Load {
  readonly #ended = new AbortController()
  readonly #calls: Promise<void>
  /** How many callbacks were answered 200 so far. */
  taken = 0
  /** How the others were answered. */
  readonly others = new Set<unknown>()

  constructor(trial: Trial, data: ProviderData) {
    this.#calls = (async () => {
      while (!this.#ended.signal.aborted) {
        trial.mtarget.enqueue(data.mtargetMix(10))
        for (const { status, error } of await sendReceipts(trial, data, 20)) {
          if (status === 200) this.taken++
          else this.others.add(status ?? error)
        }
        await new Promise((resolve) => setTimeout(resolve, 50))
      }
    })()
  }

  async stop(): Promise<void> {
    this.#ended.abort()
    await this.#calls
  }
}
