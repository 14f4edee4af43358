/** How a release finds out whether it took place. lmdb-js can report a write as done that was not written, and the reverse. */
import { afterEach, describe, expect, it, vi } from 'vitest'
import type { LmdbJournal } from '../../src/journal/lmdb-journal.js'
import { Writer, type WriteOptions } from '../../src/journal/writer.js'
import { entryOf } from './journal-contract.js'
import { Journals } from './support/journals.js'

const journals = new Journals()
afterEach(async () => {
  vi.restoreAllMocks()
  await journals.dispose()
})

/** Releases the first item of an entry, so that the entry stays in the journal. */
const releaseInside = (journal: LmdbJournal, seq: number, eventId: string): Promise<void> => {
  const occurrence = { eventId, seq, itemIndex: 0, receivedAt: journals.clock.now() }
  return journal.release(seq - 1, { occurrences: [occurrence], watchChanges: [] })
}

describe('A release', () => {
  it('is not taken for written because the one before had the same number, also after the journal was opened again', async () => {
    const directory = journals.directory()
    let journal = await journals.open(directory)
    await journal.recover(-1)
    const seq = await journal.append(entryOf('page'))
    await releaseInside(journal, seq, 'first')
    for (let i = 0; i < 2; i++) {
      let isWritten: boolean | undefined
      const write = vi.spyOn(Writer.prototype, 'write')
      // This write is reported as done, and nothing is written.
      write.mockImplementationOnce(async (_write, options: WriteOptions = {}) => {
        isWritten = options.isWritten?.()
      })
      await releaseInside(journal, seq, 'lost')
      expect(isWritten).toBe(false)
      write.mockRestore()
      expect(journal.findFirstSeen('lost')).toBeUndefined()
      await journals.close(journal)
      journal = await journals.open(directory)
      await journal.recover(seq - 1, true)
    }
    await releaseInside(journal, seq, 'second')
    expect(journal.findFirstSeen('second')).toEqual({ seq, itemIndex: 0 })
  })
})
