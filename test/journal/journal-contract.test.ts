import type { LmdbJournalOptions } from '../../src/journal/lmdb-journal.js'
import { describeJournal, entryOf, type JournalUnderTest } from './journal-contract.js'
import { ManualClock } from '../support/manual-clock.js'
import { MemoryJournal } from '../support/memory-journal.js'
import { Journals, MIB } from './support/journals.js'

const openLmdbJournal = async (options: Partial<LmdbJournalOptions>): Promise<JournalUnderTest> => {
  const journals = new Journals()
  const journal = await journals.open(journals.directory(), { maxBytes: 12 * MIB, ...options })
  return {
    journal,
    clock: journals.clock,
    fill: async () => {
      // Pages in hand are taken in any case.
      while (journal.refusalReason() === null) await journal.append(entryOf(Buffer.alloc(MIB), { via: 'PULL' }))
    },
    makeRoom: async () => {
      await journal.recover(-1)
      const last = journal.read(-1, { entries: 1000, bytes: 1e9 }).at(-1)
      if (last) await journal.release(last.seq, { occurrences: [], watchChanges: [] })
    },
    dispose: () => journals.dispose(),
  }
}

describeJournal('LmdbJournal', () => openLmdbJournal({}))

describeJournal('LmdbJournal with encryption', () => openLmdbJournal({ encryption: { key: Buffer.alloc(32, 7) } }))

describeJournal('MemoryJournal', async () => {
  const clock = new ManualClock()
  const journal = new MemoryJournal(clock)
  return {
    journal,
    clock,
    fill: async () => void (journal.refuses = 'JOURNAL_FULL'),
    makeRoom: async () => void (journal.refuses = undefined),
    dispose: () => journal.close(),
  }
})
