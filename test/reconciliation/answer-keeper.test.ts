/** What becomes of an answer where replicas share the work. */
import { beforeEach, describe, expect, it } from 'vitest'
import { AnswerKeeper, type SharedKnowledge } from '../../src/reconciliation/answer-keeper.js'
import type { NewEntry } from '../../src/journal/journal.js'
import { entryOf } from '../journal/journal-contract.js'
import { ManualClock } from '../support/manual-clock.js'
import { MemoryJournal } from '../support/memory-journal.js'

let clock: ManualClock
let journal: MemoryJournal
let keeper: AnswerKeeper
/** What others have published by now. */
let published: Set<string>
let settled: ((kept: boolean) => void)[]
let known: number

const textOf = ({ body }: NewEntry): string => Buffer.from(body).toString()

beforeEach(() => {
  clock = new ManualClock()
  journal = new MemoryJournal(clock)
  published = new Set()
  settled = []
  known = 0
  const shared: SharedKnowledge = {
    ready: () => Promise.resolve(true),
    settled: () => new Promise((resolve) => settled.push(resolve)),
  }
  const observer = {
    knownItemsDropped: (_source: string, items: number) => void (known += items),
    custodyTaken: () => undefined,
  }
  keeper = new AnswerKeeper(
    {
      journal,
      recognise: (entry) => ({
        items: 1,
        hasNewItems: !published.has(textOf(entry)),
        settled: [],
        markStored: () => undefined,
      }),
      shared,
      clock,
      observer,
    },
    new AbortController().signal,
  )
})

const turns = async (): Promise<void> => {
  for (let i = 0; i < 10; i++) await new Promise(setImmediate)
}
const kept = (): string[] => journal.entries.map(textOf)

describe('an answer with news', () => {
  it('is kept once what others were about to publish is known, and holds nobody up until then', async () => {
    await keeper.keep(entryOf('a'))
    await keeper.keep(entryOf('b'))
    await turns()
    expect(kept()).toEqual([])
    settled[0]!(true)
    await turns()
    settled[1]!(true)
    await keeper.settle()
    expect(kept()).toEqual(['a', 'b'])
    expect(keeper.letGo).toBe(0)
  })

  it('is not kept when another replica has published it meanwhile', async () => {
    await keeper.keep(entryOf('a'))
    published.add('a')
    await turns()
    settled[0]!(true)
    await keeper.settle()
    expect([kept(), known, keeper.letGo]).toEqual([[], 1, 0])
  })

  it('is let go of, and counted, when it must not or can not be kept', async () => {
    await keeper.keep(entryOf('a'))
    await turns()
    settled[0]!(false)
    await keeper.settle()
    await keeper.keep(entryOf('b'))
    await turns()
    journal.refuses = 'JOURNAL_FULL'
    settled[1]!(true)
    await keeper.settle()
    expect([kept(), keeper.letGo]).toEqual([[], 2])
  })
})

describe('an answer without news', () => {
  it('is not held back', async () => {
    published.add('a')
    await keeper.keep(entryOf('a'))
    expect([settled.length, known]).toEqual([0, 1])
  })
})
