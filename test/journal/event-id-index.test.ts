/** The index of event ids: how long it keeps an id, how many ids it keeps, and how much of the disk an id takes. */
import { hash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { entryCount, openEnvironment, usedBytes } from '../../src/journal/environment.js'
import { BYTES_PER_REMEMBERED_ID } from '../../src/journal/event-id-index.js'
import type { EventOccurrence } from '../../src/journal/journal.js'
import type { LmdbJournal } from '../../src/journal/lmdb-journal.js'
import { RecordingLog } from '../support/recording-observers.js'
import { entryOf } from './journal-contract.js'
import { Journals } from './support/journals.js'

vi.setConfig({ testTimeout: 60_000 })

const HOUR = 3_600_000
const journals = new Journals()
let directory: string
let log: RecordingLog

beforeEach(() => {
  log = new RecordingLog()
  directory = journals.directory()
})
afterEach(() => journals.dispose())

const open = async (duplicates = { rememberForMs: HOUR, maxIds: 1000 }): Promise<LmdbJournal> => {
  const journal = await journals.open(directory, { duplicates, log })
  await journal.recover(-1)
  return journal
}

/** Appends one entry and releases it with the event ids that it contains. */
const release = async (
  journal: LmdbJournal,
  eventIds: readonly string[],
  receivedAt = journals.clock.now(),
): Promise<number> => {
  const seq = await journal.append(entryOf('', { receivedAt }))
  const occurrences = eventIds.map((eventId, itemIndex): EventOccurrence => ({ eventId, seq, itemIndex, receivedAt }))
  await journal.release(seq, { occurrences, watchChanges: [] })
  return seq
}

const remembered = (journal: LmdbJournal, eventIds: readonly string[]): string[] =>
  eventIds.filter((eventId) => journal.findFirstSeen(eventId) !== undefined)

const ids = (prefix: string, count: number): string[] => Array.from({ length: count }, (_, i) => `${prefix}${i}`)

describe('An event id', () => {
  it('is kept for the given time from the arrival of its item, and deleted by the next release after that', async () => {
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
    expect(log.messages).toEqual([])
  })

  it('is deleted by the age of its item, not by the time of its publication', async () => {
    const journal = await open()
    await release(journal, ['late'], journals.clock.now() - HOUR)
    await journals.clock.advance(1)
    await release(journal, [])
    expect(remembered(journal, ['late'])).toEqual([])
  })

  it('is deleted early, oldest first and with one warning, if there are too many', async () => {
    const journal = await open({ rememberForMs: 24 * HOUR, maxIds: 100 })
    for (let i = 0; i < 30; i++) {
      await release(journal, ids(`${i}.`, 10))
      await journals.clock.advance(1000)
    }
    await release(journal, [])
    expect(remembered(journal, ids('19.', 10))).toEqual([])
    expect(remembered(journal, ids('20.', 10))).toHaveLength(10)
    expect(remembered(journal, ids('29.', 10))).toHaveLength(10)
    expect(journal.stats().idsForgottenEarly).toBe(200)
    expect(log.messages).toEqual([expect.stringMatching(/^more than 100 event ids .* raise duplicates\.maxIds/)])
  })

  it('is kept for the full time again if it arrives after it was deleted', async () => {
    const journal = await open()
    const first = await release(journal, ['a'])
    await journals.clock.advance(HOUR + 1)
    await release(journal, [])
    const second = await release(journal, ['a'])
    await journals.clock.advance(HOUR)
    await release(journal, [])
    expect(second).toBeGreaterThan(first)
    expect(journal.findFirstSeen('a')).toEqual({ seq: second, itemIndex: 0 })
  })
})

describe('The index of event ids', () => {
  it('returns to its limit after a large entry, and shrinks when the limit is lowered', async () => {
    let journal = await open({ rememberForMs: HOUR, maxIds: 500 })
    await release(journal, ids('many', 3000))
    for (let i = 0; i < 40; i++) await release(journal, ids(`${i}.`, 5))
    expect(remembered(journal, ids('many', 3000)).length).toBeLessThanOrEqual(500)
    await journals.close(journal)
    journal = await open({ rememberForMs: HOUR, maxIds: 20 })
    for (let i = 0; i < 8; i++) await release(journal, [])
    expect(remembered(journal, [...ids('many', 3000), ...ids('39.', 5)]).length).toBeLessThanOrEqual(20)
  })

  it('holds the same ids when the journal is opened again', async () => {
    let journal = await open({ rememberForMs: HOUR, maxIds: 50 })
    for (let i = 0; i < 20; i++) {
      await release(journal, ids(`${i}.`, 10))
      await journals.clock.advance(60_000)
    }
    const all = Array.from({ length: 20 }, (_, i) => ids(`${i}.`, 10)).flat()
    const before = all.map((id) => journal.findFirstSeen(id))
    await journals.close(journal)
    journal = await open({ rememberForMs: HOUR, maxIds: 50 })
    expect(all.map((id) => journal.findFirstSeen(id))).toEqual(before)
  })

  it('takes the bytes for each id that the code, the configuration and the documents state', async () => {
    const COUNT = 20_000
    const journal = await open({ rememberForMs: HOUR, maxIds: COUNT })
    const idsOf = (round: number): string[] =>
      Array.from({ length: 500 }, (_, i) => hash('sha256', `${round}.${i}`, 'hex').slice(0, 32))
    // Twice as many ids as the index keeps, so that each new id of the second half replaces an old one.
    for (let round = 0; round < (2 * COUNT) / 500; round++) {
      await release(journal, idsOf(round))
      await journals.clock.advance(1_000)
    }
    await journals.close(journal)
    const env = openEnvironment(directory)
    const bytesPerId = (usedBytes(env.ids) + usedBytes(env.idsByAge)) / entryCount(env.ids)
    await env.root.close()
    expect(bytesPerId).toBeGreaterThan(0.7 * BYTES_PER_REMEMBERED_ID)
    expect(bytesPerId).toBeLessThanOrEqual(BYTES_PER_REMEMBERED_ID)

    for (const document of ['config/connector.schema.json', 'helm/values.schema.json', 'docs/sizing.md']) {
      const text = readFileSync(new URL(`../../${document}`, import.meta.url), 'utf8').replace(/\s+/g, ' ')
      expect(text, document).toMatch(new RegExp(`event ids?[^.]* about ${BYTES_PER_REMEMBERED_ID} bytes`))
    }
  })
})
