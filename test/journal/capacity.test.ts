/** The limit `journal.maxBytes`, and what counts towards it. */
import { statSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { LmdbJournal } from '../../src/journal/lmdb-journal.js'
import { entryOf } from './journal-contract.js'
import { Journals, MIB } from './support/journals.js'

// Every append waits for an fsync.
vi.setConfig({ testTimeout: 60_000 })

const NO_UPDATES = { occurrences: [], watchChanges: [] }
const ALL = { entries: 1e6, bytes: 1e12 }
const journals = new Journals()
let directory: string

beforeEach(() => {
  directory = journals.directory()
})
afterEach(() => journals.dispose())

/** Appends entries until one is refused. Returns how many were taken. */
const fill = async (journal: LmdbJournal, size = 100_000): Promise<number> => {
  for (let taken = 0; ; taken++) {
    try {
      await journal.append(entryOf(Buffer.alloc(size)))
    } catch (error) {
      expect(error).toMatchObject({ code: 'JOURNAL_FULL' })
      return taken
    }
  }
}

const releaseAll = async (journal: LmdbJournal): Promise<void> => {
  await journal.recover(-1)
  await journal.release(journal.read(-1, ALL).at(-1)!.seq, NO_UPDATES)
}

describe('A journal at its limit', () => {
  it('refuses callbacks with the reason, and takes as many again after a release', async () => {
    const journal = await journals.open(directory, { maxBytes: 4 * MIB })
    const taken = await fill(journal)
    expect(taken * 100_000).toBeGreaterThan(3.5 * MIB)
    expect(taken * 100_000).toBeLessThanOrEqual(4 * MIB)
    await expect(journal.append(entryOf(Buffer.alloc(100_000)))).rejects.toThrow(
      /holds \d+ of at most 4194304 bytes \(journal\.maxBytes\); it empties as Kafka takes what it holds/,
    )
    await releaseAll(journal)
    expect(await fill(journal)).toBe(taken)
  })

  it('still takes a smaller entry, and a page of a destructive queue', async () => {
    const journal = await journals.open(directory, { maxBytes: 4 * MIB })
    await fill(journal)
    await journal.append(entryOf('small'))
    const answer = entryOf(Buffer.alloc(100_000), { via: 'QUERY' })
    await expect(journal.append(answer)).rejects.toMatchObject({ code: 'JOURNAL_FULL' })
    const page = await journal.append(entryOf(Buffer.alloc(5 * MIB), { via: 'PULL' }))
    expect(journal.read(page - 1, ALL)[0]?.body.byteLength).toBe(5 * MIB)
    expect(journal.refusalReason()).not.toBeNull()
  })

  it('is at its limit still when it is opened again', async () => {
    let journal = await journals.open(directory, { maxBytes: 4 * MIB })
    await fill(journal)
    const { entries } = journal.stats()
    await journals.close(journal)
    journal = await journals.open(directory, { maxBytes: 4 * MIB })
    expect(journal.stats().entries).toBe(entries)
    expect(await fill(journal)).toBe(0)
  })
})

describe('The bytes in the statistics of a journal', () => {
  it.each([0, 40, 300, 900, 1900, 2100, 6000, 70_000])(
    'are close to what LMDB counts when the journal is opened again, for bodies of %i bytes',
    async (size) => {
      const journal = await journals.open(directory, { maxBytes: 100 * MIB })
      for (let round = 0; round < 10; round++) {
        await Promise.all(Array.from({ length: 100 }, () => journal.append(entryOf(Buffer.alloc(size)))))
      }
      const estimated = journal.stats().bytes
      await journals.close(journal)
      const counted = (await journals.open(directory)).stats().bytes
      // The sizes of the entries of the last sixteenth of the limit are only estimated.
      expect(Math.abs(estimated - counted)).toBeLessThan(0.5 * Math.min(counted, (100 * MIB) / 16))
    },
  )

  it('are close to zero after everything was released, although the file keeps its size', async () => {
    const journal = await journals.open(directory)
    await Promise.all(Array.from({ length: 50 }, () => journal.append(entryOf(Buffer.alloc(100_000)))))
    await releaseAll(journal)
    expect(journal.stats().bytes).toBeLessThan(20_000)
    expect(statSync(join(directory, 'lmdb', 'data.mdb')).size).toBeGreaterThan(5_000_000)
  })
})

describe('hasRoomFor an answer', () => {
  it('is true if the answer fits within the limit', async () => {
    const journal = await journals.open(directory, { maxBytes: 40 * MIB })
    expect(journal.hasRoomFor(20 * MIB)).toBe(true)
    await journal.append(entryOf(Buffer.alloc(25 * MIB), { via: 'PULL' }))
    expect(journal.hasRoomFor(14 * MIB)).toBe(true)
    expect(journal.hasRoomFor(16 * MIB)).toBe(false)
  })

  it('is true if the answer is larger than the limit and half of the limit is free', async () => {
    const journal = await journals.open(directory, { maxBytes: 4 * MIB })
    expect(journal.hasRoomFor(64 * MIB)).toBe(true)
    await journal.append(entryOf(Buffer.alloc(3 * MIB), { via: 'PULL' }))
    expect(journal.hasRoomFor(64 * MIB)).toBe(false)
  })
})

describe('The disk reserve', () => {
  it('consists of real blocks, takes at most a quarter of the limit, and stays when the journal is closed', async () => {
    const reserve = join(directory, 'reserve.bin')
    const journal = await journals.open(directory, { maxBytes: 40 * MIB, reserveBytes: 4 * MIB })
    expect(statSync(reserve).size).toBe(4 * MIB)
    expect(statSync(reserve).blocks * 512).toBeGreaterThanOrEqual(4 * MIB)
    await journals.close(journal)
    await journals.close(await journals.open(directory, { maxBytes: 40 * MIB, reserveBytes: 64 * MIB }))
    expect(statSync(reserve).size).toBe(10 * MIB)
  })
})
