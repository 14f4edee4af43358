/**
 * Finds out that the journal's data file was removed or replaced while the process has it open.
 *
 * The kernel keeps a removed file until the last process closes it. LMDB therefore goes on without an error: it reads what it
 * held, writes, and syncs. Nothing of that survives the process, so what is written from then on would not be in custody. What
 * is in the file can still be read, published and released.
 */
import { type Stats, statSync } from 'node:fs'
import type { Clock } from '../core/clock.js'
import { messageOf } from '../core/errors.js'
import type { Log } from '../core/log.js'

export interface DataFileCheckOptions {
  readonly clock: Clock
  readonly log?: Log | undefined
}

/** A look at the file takes some microseconds, and hundreds of callbacks may arrive within this time. */
const CHECK_INTERVAL_MS = 10

export class DataFileCheck {
  readonly #path: string
  readonly #options: DataFileCheckOptions
  /** The file that LMDB has open. Its inode number is not given to another file as long as it is open. */
  readonly #opened: Stats
  #problem: string | null = null
  #lastCheckAt = -Infinity

  /** @param path of the data file @param opened the file that LMDB has opened by this path */
  constructor(path: string, opened: Stats, options: DataFileCheckOptions) {
    this.#path = path
    this.#options = options
    this.#opened = opened
  }

  /** A sentence on why entries would not survive this process; null while the file is in its place. */
  get problem(): string | null {
    const { clock, log } = this.#options
    if (clock.monotonic() - this.#lastCheckAt < CHECK_INTERVAL_MS) return this.#problem
    this.#lastCheckAt = clock.monotonic()
    const found = this.#findProblem()
    if (found !== this.#problem) {
      if (found !== null) log?.error({ event: 'journal-file-missing' }, found)
      else log?.info({ event: 'journal-file-restored' }, `the journal's data file ${this.#path} is in its place again`)
    }
    this.#problem = found
    return found
  }

  #findProblem(): string | null {
    try {
      const present = statSync(this.#path, { throwIfNoEntry: false })
      if (present === undefined) return this.#describe('was removed')
      const isSame = present.ino === this.#opened.ino && present.dev === this.#opened.dev
      return isSame ? null : this.#describe('was replaced by another file')
    } catch (error) {
      return this.#describe(`can't be reached (${messageOf(error)})`)
    }
  }

  #describe(event: string): string {
    return (
      `the journal's data file ${this.#path} ${event} while this process runs, so nothing more is taken into custody. What the ` +
      'journal holds is published from the file that is still open, and is lost if the process ends before: put the file back ' +
      'if it was moved, else wait until the journal is empty, and restart'
    )
  }
}
