/** The index of event ids: what it remembers, for how long, and how many. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { EventOccurrence } from '../../src/journal/journal.js'
import type { LmdbJournal } from '../../src/journal/lmdb-journal.js'
import { entryOf } from './journal-contract.js'
import { Journals } from './support/journals.js'

vi.setConfig({ testTimeout: 60_000 })

const HOUR = 3_600_000
const journals = new Journals()
let directory: string

beforeEach(() => {
  trouble = []
  directory = journals.directory()
})
afterEach(() => journals.dispose())

let trouble: string[]

const open = async (duplicates = { rememberFor: HOUR, maxIds: 1000 }): Promise<LmdbJournal> => {
  const journal = await journals.open(directory, { duplicates, onWarning: (message) => trouble.push(message) })
  await journal.recover(-1)
  return journal
}

/** Appends one entry and releases it with ids that were seen in it. */
const release = async (
  journal: LmdbJournal,
  eventIds: readonly string[],
  receivedAt = journals.clock.now(),
): Promise<number> => {
  const seq = await journal.append(entryOf('', { receivedAt }))
  const seen = eventIds.map((eventId, place): EventOccurrence => ({ eventId, seq, place, receivedAt }))
  await journal.release(seq, { occurrences: seen, watchChanges: [] })
  return seq
}

const remembered = (journal: LmdbJournal, eventIds: readonly string[]): string[] =>
  eventIds.filter((eventId) => journal.findFirstSeen(eventId) !== undefined)

const ids = (prefix: string, count: number): string[] => Array.from({ length: count }, (_, i) => `${prefix}${i}`)

describe('an event id', () => {
  it('is forgotten some time after its item was received, and not before', async () => {
    const journal = await open()
    await release(journal, ['a'])
    await journals.clock.advance(HOUR / 2)
    await release(journal, ['b'])
    await journals.clock.advance(HOUR / 2)
    await release(journal, [])
    expect(remembered(journal, ['a', 'b'])).toEqual(['a', 'b'])
    await journals.clock.advance(1)
    await release(journal, [])
    expect(remembered(journal, ['a', 'b'])).toEqual(['b'])
    expect(journal.stats().idsForgottenEarly).toBe(0)
    expect(trouble).toEqual([])
  })

  it('counts from when its item was received, not from when it was published', async () => {
    const journal = await open()
    await release(journal, ['late'], journals.clock.now() - HOUR)
    await journals.clock.advance(1)
    await release(journal, [])
    expect(remembered(journal, ['late'])).toEqual([])
  })

  it('is forgotten, oldest first, when there are too many', async () => {
    const journal = await open({ rememberFor: 24 * HOUR, maxIds: 100 })
    for (let i = 0; i < 30; i++) {
      await release(journal, ids(`${i}.`, 10))
      await journals.clock.advance(1000)
    }
    await release(journal, [])
    expect(remembered(journal, ids('19.', 10))).toEqual([])
    expect(remembered(journal, ids('20.', 10))).toHaveLength(10)
    expect(remembered(journal, ids('29.', 10))).toHaveLength(10)
    expect(journal.stats().idsForgottenEarly).toBe(200)
    expect(trouble).toEqual([expect.stringMatching(/^more than 100 event ids .* raise duplicates\.maxIds/)])
  })

  it('that comes again after it was forgotten is remembered anew, for its full time', async () => {
    const journal = await open()
    const first = await release(journal, ['a'])
    await journals.clock.advance(HOUR + 1)
    await release(journal, [])
    const second = await release(journal, ['a'])
    await journals.clock.advance(HOUR)
    await release(journal, [])
    expect(second).toBeGreaterThan(first)
    expect(journal.findFirstSeen('a')).toEqual({ seq: second, place: 0 })
  })
})

describe('the index', () => {
  it('stays within its bounds whatever one entry brings, and shrinks when they are drawn in', async () => {
    let journal = await open({ rememberFor: HOUR, maxIds: 500 })
    await release(journal, ids('many', 3000))
    for (let i = 0; i < 40; i++) await release(journal, ids(`${i}.`, 5))
    expect(remembered(journal, ids('many', 3000)).length).toBeLessThanOrEqual(500)
    await journals.close(journal)
    journal = await open({ rememberFor: HOUR, maxIds: 20 })
    for (let i = 0; i < 8; i++) await release(journal, [])
    expect(remembered(journal, [...ids('many', 3000), ...ids('39.', 5)]).length).toBeLessThanOrEqual(20)
  })

  it('decides the same when the journal is opened again', async () => {
    let journal = await open({ rememberFor: HOUR, maxIds: 50 })
    for (let i = 0; i < 20; i++) {
      await release(journal, ids(`${i}.`, 10))
      await journals.clock.advance(60_000)
    }
    const all = Array.from({ length: 20 }, (_, i) => ids(`${i}.`, 10)).flat()
    const before = all.map((id) => journal.findFirstSeen(id))
    await journals.close(journal)
    journal = await open({ rememberFor: HOUR, maxIds: 50 })
    expect(all.map((id) => journal.findFirstSeen(id))).toEqual(before)
  })
})
