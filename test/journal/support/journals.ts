/** Opens journals on the disk for tests, and removes their directories afterwards. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { LmdbJournal, type LmdbJournalOptions } from '../../../src/journal/lmdb-journal.js'
import { ManualClock } from '../../support/manual-clock.js'

export const MIB = 1024 * 1024

export class Journals {
  readonly clock = new ManualClock()
  readonly #directories: string[] = []
  readonly #open = new Set<LmdbJournal>()

  /** Makes an empty directory. */
  directory(): string {
    const directory = mkdtempSync(join(tmpdir(), 'journal-'))
    this.#directories.push(directory)
    return directory
  }

  async open(directory: string, options: Partial<LmdbJournalOptions> = {}): Promise<LmdbJournal> {
    const journal = await LmdbJournal.open({
      directory,
      maxBytes: 1024 * MIB,
      reserveBytes: 0,
      duplicates: { rememberForMs: 3_600_000, maxIds: 1_000_000 },
      clock: this.clock,
      ...options,
    })
    this.#open.add(journal)
    return journal
  }

  async close(journal: LmdbJournal): Promise<void> {
    this.#open.delete(journal)
    await journal.close()
  }

  async dispose(): Promise<void> {
    for (const journal of this.#open) await this.close(journal)
    for (const directory of this.#directories.splice(0)) rmSync(directory, { recursive: true, force: true })
  }
}
