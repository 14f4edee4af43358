import { beforeEach, describe, expect, it } from 'vitest'
import { AnswerStore } from '../../src/reconciliation/answer-store.js'
import type { NewEntry } from '../../src/journal/journal.js'
import { entryOf } from '../journal/journal-contract.js'
import { turnUntil } from '../support/event-loop.js'
import { ManualClock } from '../support/manual-clock.js'
import { MemoryJournal } from '../support/memory-journal.js'

let journal: MemoryJournal
let store: AnswerStore
/** Bodies of the answers whose one item another replica has published by now. */
let published: Set<string>
/** Completes `waitToStore` of each deferred answer, in order. */
let completeWait: ((isAllowed: boolean) => void)[]
let knownItems: number

const textOf = ({ body }: NewEntry): string => Buffer.from(body).toString()

beforeEach(() => {
  const clock = new ManualClock()
  journal = new MemoryJournal(clock)
  published = new Set()
  completeWait = []
  knownItems = 0
  store = new AnswerStore({
    journal,
    knownItems: {
      compare: (entry) => ({
        items: 1,
        hasNewItems: !published.has(textOf(entry)),
        finalMessageIds: [],
        markStored: () => undefined,
      }),
    },
    queryGate: {
      waitToQuery: () => Promise.resolve(true),
      waitToStore: () => new Promise((resolve) => completeWait.push(resolve)),
    },
    clock,
    observer: {
      knownItemsDropped: (_source, items) => {
        knownItems += items
      },
      custodyTaken: () => undefined,
    },
    stopSignal: new AbortController().signal,
  })
})

/** Resolves when the store has begun to wait for its permission to store so many answers. */
const untilWaiting = (answers: number): Promise<void> => turnUntil(() => completeWait.length >= answers)

const stored = (): string[] => journal.entries.map(textOf)

describe('AnswerStore with replicas', () => {
  it('stores answers with new items in order once the query gate allows it, and does not block meanwhile', async () => {
    await store.store(entryOf('a'))
    await store.store(entryOf('b'))
    await untilWaiting(1)
    expect(stored()).toEqual([])
    completeWait[0]!(true)
    await untilWaiting(2)
    completeWait[1]!(true)
    await store.waitForDeferred()
    expect(stored()).toEqual(['a', 'b'])
    expect(store.dropped).toBe(0)
  })

  it('does not store an answer that another replica has published while it was deferred', async () => {
    await store.store(entryOf('a'))
    published.add('a')
    await untilWaiting(1)
    completeWait[0]!(true)
    await store.waitForDeferred()
    expect([stored(), knownItems, store.dropped]).toEqual([[], 1, 0])
  })

  it('drops and counts a deferred answer that the query gate or the journal refuses', async () => {
    await store.store(entryOf('a'))
    await untilWaiting(1)
    completeWait[0]!(false)
    await store.waitForDeferred()
    await store.store(entryOf('b'))
    await untilWaiting(2)
    journal.refuses = 'JOURNAL_FULL'
    completeWait[1]!(true)
    await store.waitForDeferred()
    expect([stored(), store.dropped]).toEqual([[], 2])
  })

  it('does not defer an answer without new items', async () => {
    published.add('a')
    await store.store(entryOf('a'))
    expect([completeWait.length, knownItems]).toEqual([0, 1])
  })
})
