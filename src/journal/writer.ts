/**
 * Every write of the journal goes through here. This decides what a failed write means, and which write is tried again.
 *
 * A failed commit fails all writes that lmdb-js had grouped with it, and LMDB then continues. Only if LMDB could not write
 * its meta page does it refuse every further write until the environment is opened again, and lmdb-js then never settles
 * a promise again. So after each failure the writer checks whether the environment is alive. If it is not, every write
 * fails for good, the pending ones included.
 */
import type { RootDatabase } from 'lmdb'
import { ConnectorError, messageOf } from '../core/errors.js'
import type { Log } from '../core/log.js'
import type { Capacity } from './capacity.js'

export type Write = () => Promise<unknown>

export interface WriteOptions {
  /** Whether a failed write is tried again, with the room that the reserve gives up. The default is true. */
  readonly retry?: boolean
  /** Bytes that the write adds, approximately, unless `Capacity.admit` has counted them. */
  readonly addedBytes?: number
  /** Reads back, from what LMDB has committed, whether the write took place. */
  readonly isWritten?: (() => boolean) | undefined
}

export class Writer {
  readonly #root: RootDatabase
  readonly #capacity: Capacity
  readonly #log: Log | undefined
  /** Rejects each pending write. */
  readonly #rejectPending = new Set<(error: ConnectorError) => void>()
  #fatalError: ConnectorError | undefined

  constructor(root: RootDatabase, capacity: Capacity, log: Log | undefined) {
    this.#root = root
    this.#capacity = capacity
    this.#log = log
  }

  /** Why nothing can be written any more; undefined while the environment is alive. */
  get fatalError(): ConnectorError | undefined {
    return this.#fatalError
  }

  /**
   * Resolves once the write is durable.
   * @throws ConnectorError JOURNAL_WRITE_FAILED; JOURNAL_UNUSABLE if nothing can be written any more
   */
  async write(write: Write, options: WriteOptions = {}): Promise<void> {
    try {
      await this.#attempt(write, options)
    } catch (error) {
      this.#handleFailure(error)
      if (options.retry !== false) return this.write(write, { ...options, retry: false })
      const message = `the journal can't be written: ${messageOf(error)}`
      throw new ConnectorError('JOURNAL_WRITE_FAILED', message, { cause: error })
    }
  }

  #attempt(write: Write, { addedBytes = 0, isWritten }: WriteOptions): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#fatalError) return reject(this.#fatalError)
      if (!this.#capacity.fitsOnDisk(addedBytes))
        return reject(
          new Error(`no space is left on the disk that holds ${this.#capacity.directory}; free space on it`),
        )
      this.#rejectPending.add(reject)
      void commit(write)
        .then(
          () => this.#verify(isWritten),
          (error: Error) => this.#verify(isWritten, error),
        )
        .then(resolve, reject)
        .finally(() => this.#rejectPending.delete(reject))
    })
  }

  /**
   * Checks what lmdb-js reported against what was committed. lmdb-js settles all writes of one turn by one promise. Around
   * a failed commit, for example on a full disk, it can report a write as done that was not written, and a write as failed
   * that was.
   * @throws the reported error, or an error if a write that was reported as done is not there
   */
  #verify(isWritten: (() => boolean) | undefined, reported?: Error): void {
    if (isWritten === undefined && reported === undefined) return
    if (isWritten?.()) return
    // The snapshot of the read transaction may be older than the commit.
    this.#root.resetReadTxn()
    if (isWritten?.()) return
    throw reported ?? new Error('the commit was reported as done, but nothing was written')
  }

  /** @throws ConnectorError JOURNAL_UNUSABLE if the environment is not alive */
  #handleFailure(error: unknown): void {
    if (!this.#fatalError && !this.#isAlive()) this.#failForGood(error)
    if (this.#fatalError) throw this.#fatalError
    if (this.#capacity.freeReserve())
      this.#log?.error(
        { event: 'journal-write-failed', err: error },
        'a write of the journal failed; callbacks are refused until the disk takes writes again',
      )
  }

  #failForGood(error: unknown): void {
    const message = `LMDB can't write the journal's meta page: ${messageOf(error)}; check the disk, then restart`
    this.#fatalError = new ConnectorError('JOURNAL_UNUSABLE', message, { cause: error })
    this.#log?.error({ event: 'journal-unusable', err: error }, message)
    for (const reject of this.#rejectPending) reject(this.#fatalError)
  }

  /** An environment that has failed for good refuses to begin a read transaction. */
  #isAlive(): boolean {
    try {
      this.#root.resetReadTxn()
      this.#root.useReadTransaction().done()
      return true
    } catch {
      return false
    }
  }
}

/**
 * lmdb-js reports a failed commit twice: the write rejects, and so does the promise in `commitError`, with the cause. If
 * nobody handled the second rejection, it would end the process.
 */
async function commit(write: Write): Promise<void> {
  try {
    await write()
  } catch (error) {
    const { commitError } = error as { commitError?: Promise<unknown> }
    await commitError
    throw error
  }
}
