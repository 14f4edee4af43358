/** The filter in front of the index of event ids: it never takes a known id for an unknown one. */
import { hash } from 'node:crypto'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { type Environment, openEnvironment } from '../../src/journal/environment.js'
import { BloomFilter, EventIdFilter, MAX_CAPACITY_IDS } from '../../src/journal/event-id-filter.js'
import type { EventOccurrence } from '../../src/journal/journal.js'
import { turnUntil } from '../support/event-loop.js'
import { entryOf } from './journal-contract.js'
import { Journals } from './support/journals.js'

vi.setConfig({ testTimeout: 120_000 })

const idOf = (number: number | string): string => hash('sha256', String(number), 'hex').slice(0, 32)
const idsOf = (from: number, to: number): string[] =>
  Array.from({ length: to - from }, (_, index) => idOf(from + index))

describe('BloomFilter', () => {
  it('holds whatever was added, of any form', () => {
    const id = fc.oneof(fc.string({ unit: 'binary' }), fc.integer().map(idOf), fc.constantFrom('', 'a', '\0'))
    fc.assert(
      fc.property(fc.array(id), (ids) => {
        const filter = new BloomFilter(0)
        for (const each of ids) filter.add(each)
        expect(ids.filter((each) => !filter.mayHold(each))).toEqual([])
      }),
    )
  })

  it('passes less than one of a hundred unknown ids when it holds as many ids as it has room for', () => {
    const filter = new BloomFilter(100_000)
    for (const id of idsOf(0, filter.capacity)) filter.add(id)
    const passed = idsOf(-20_000, 0).filter((id) => filter.mayHold(id))
    expect(passed.length).toBeGreaterThan(0)
    expect(passed.length).toBeLessThan(200)
  })

  it('has a capacity between two bounds', () => {
    expect(new BloomFilter(0).capacity).toBe(65_536)
    expect(new BloomFilter(65_537).capacity).toBe(131_072)
    expect(new BloomFilter(1e12).capacity).toBe(MAX_CAPACITY_IDS)
  })
})

describe('EventIdFilter', () => {
  const journals = new Journals()
  let env: Environment
  beforeEach(() => {
    env = openEnvironment(journals.directory())
  })
  afterEach(async () => {
    await env.root.close()
    await journals.dispose()
  })

  const store = (ids: readonly string[]): void =>
    env.root.transactionSync(() => {
      for (const id of ids) env.ids.putSync(id, [1, 0])
    })
  const write = (filter: EventIdFilter, ids: readonly string[]): Promise<void> =>
    filter.duringWrite(async () => {
      await env.root.batch(() => {
        for (const id of ids) {
          filter.add(id)
          void env.ids.put(id, [1, 0])
        }
      })
    })
  const unknown = idsOf(-100, 0)
  const isFilled = (filter: EventIdFilter): boolean => unknown.some((id) => !filter.mayHold(id))

  it('takes every id for a known one until it has read the whole index, then only a few unknown ones', async () => {
    store(idsOf(0, 5_000))
    const filter = new EventIdFilter(env)
    expect(isFilled(filter)).toBe(false)
    await turnUntil(() => isFilled(filter))
    expect(idsOf(0, 5_000).every((id) => filter.mayHold(id))).toBe(true)
    expect(unknown.filter((id) => filter.mayHold(id)).length).toBeLessThan(5)
  })

  it('knows what is added while it reads the index, on both sides of the place that it reads', async () => {
    store(idsOf(0, 5_000))
    const filter = new EventIdFilter(env)
    for (let from = 5_000; from < 5_500; from += 50) {
      void write(filter, idsOf(from, from + 50))
      await new Promise(setImmediate)
    }
    await turnUntil(() => isFilled(filter))
    expect(idsOf(0, 5_500).filter((id) => !filter.mayHold(id))).toEqual([])
  })

  it('is made anew with more room when it is full, and knows the old ids and those that are added meanwhile', async () => {
    const filter = new EventIdFilter(env)
    let count = 0
    let hasBeenFull = false
    const passing = (): number => unknown.filter((id) => filter.mayHold(id)).length
    while (count < 200_000) {
      // Two writes at a time, as those of the pipeline and of the follower of the topics.
      await Promise.all([
        write(filter, idsOf(count, count + 2_000)),
        write(filter, idsOf(count + 2_000, count + 4_000)),
      ])
      count += 4_000
      hasBeenFull ||= count > 70_000
      const recent = idsOf(Math.max(0, count - 8_000), count)
      expect(recent.filter((id) => !filter.mayHold(id))).toEqual([])
    }
    for (let turn = 0; turn < 1_000; turn++) await new Promise(setImmediate)
    expect(idsOf(0, count).filter((id) => !filter.mayHold(id))).toEqual([])
    // With the room that it had at first, a quarter of them would pass.
    expect(hasBeenFull && passing()).toBeLessThan(5)
    filter.close()
  })

  it('forgets ids that the index has deleted when it is made anew', async () => {
    const deleted = idsOf(0, 60_000)
    store(deleted)
    const filter = new EventIdFilter(env)
    await turnUntil(() => isFilled(filter))
    env.root.transactionSync(() => {
      for (const id of deleted) env.ids.removeSync(id)
    })
    expect(deleted.every((id) => filter.mayHold(id))).toBe(true)
    for (let count = 0; count < 80_000; count += 8_000) {
      await write(filter, idsOf(1_000_000 + count, 1_000_000 + count + 8_000))
    }
    await turnUntil(() => !deleted.every((id) => filter.mayHold(id)))
    expect(deleted.filter((id) => filter.mayHold(id)).length).toBeLessThan(6_000)
    expect(idsOf(1_000_000, 1_080_000).filter((id) => !filter.mayHold(id))).toEqual([])
  })

  it('is not made anew while a write is pending, whose ids may not be in the index yet', async () => {
    const filter = new EventIdFilter(env)
    let endPending = (): void => undefined
    const pending = filter.duringWrite(() => {
      filter.add(idOf('pending'))
      return new Promise<void>((resolve) => (endPending = resolve))
    })
    await write(filter, idsOf(0, 70_000))
    for (let turn = 0; turn < 300; turn++) await new Promise(setImmediate)
    expect(filter.mayHold(idOf('pending'))).toBe(true)
    store([idOf('pending')])
    endPending()
    await pending
    for (let turn = 0; turn < 300; turn++) await new Promise(setImmediate)
    expect([idOf('pending'), ...idsOf(0, 70_000)].filter((id) => !filter.mayHold(id))).toEqual([])
  })

  it('takes every id for a known one for ever if the index can not be read', async () => {
    store(idsOf(0, 2_000))
    let reads = 0
    vi.spyOn(env.ids, 'getKeys').mockImplementation(() => {
      reads++
      throw new Error('the environment has failed')
    })
    const filter = new EventIdFilter(env)
    await write(filter, idsOf(2_000, 90_000))
    for (let turn = 0; turn < 20; turn++) await new Promise(setImmediate)
    expect(reads).toBe(1)
    expect(isFilled(filter)).toBe(false)
  })

  it('reads nothing after it was closed', async () => {
    store(idsOf(0, 2_000))
    const read = vi.spyOn(env.ids, 'getKeys')
    const filter = new EventIdFilter(env)
    filter.close()
    for (let turn = 0; turn < 20; turn++) await new Promise(setImmediate)
    expect(read).toHaveBeenCalledTimes(1)
    expect(isFilled(filter)).toBe(false)
  })
})

describe('The journal finds', () => {
  const journals = new Journals()
  afterEach(() => journals.dispose())

  it('every id that it remembers, after releases, ids of other replicas, expiry and restarts in any order', async () => {
    const ids = fc.array(fc.nat(300).map(idOf), { maxLength: 40 })
    const step = fc.oneof(
      fc.record({ kind: fc.constant('release' as const), ids }),
      fc.record({ kind: fc.constant('published' as const), ids }),
      fc.record({ kind: fc.constant('wait' as const), ids: fc.constant([]) }),
      fc.record({ kind: fc.constant('restart' as const), ids: fc.constant([]) }),
    )
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 12 }), async (steps) => {
        const directory = journals.directory()
        const duplicates = { rememberForMs: 1_000, maxIds: 200 }
        let journal = await journals.open(directory, { duplicates })
        await journal.recover(-1)
        for (const { kind, ids: added } of steps) {
          const receivedAt = journals.clock.now()
          const eventIds = [...new Set(added)].filter((id) => journal.findFirstSeen(id) === undefined)
          if (kind === 'release') {
            const seq = await journal.append(entryOf('', { receivedAt }))
            const occurrences = eventIds.map((eventId, itemIndex): EventOccurrence => ({
              ...{ eventId, seq, itemIndex, receivedAt },
            }))
            await journal.release(seq, { occurrences, watchChanges: [] })
          } else if (kind === 'published') {
            await journal.recordPublished(
              eventIds.map((eventId) => ({ eventId, receivedAt })),
              [],
            )
          } else if (kind === 'wait') {
            await journals.clock.advance(600)
          } else {
            await journal.close()
            journal = await journals.open(directory, { duplicates })
            await journal.recover(-1)
          }
          if (kind === 'release' || kind === 'published') {
            expect(eventIds.slice(-100).filter((id) => journal.findFirstSeen(id) === undefined)).toEqual([])
          }
        }
        await journal.close()
        const env = openEnvironment(directory)
        const remembered = [...env.ids.getKeys()]
        await env.root.close()
        const reopened = await journals.open(directory, { duplicates })
        await turnUntil(() => true)
        expect(remembered.filter((id) => reopened.findFirstSeen(id) === undefined)).toEqual([])
        await reopened.close()
      }),
      { numRuns: 40 },
    )
  })
})
