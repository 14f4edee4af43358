/**
 * Every write of the journal goes through here: what a failed one means, and what is tried once more.
 *
 * A failed commit takes the whole group of writes with it that shared it; LMDB goes on. Only when it could not write its
 * root page it refuses everything until it is opened again, and lmdb-js then never answers: that is looked for after
 * each failure, and ends every write, those under way included.
 */
import type { RootDatabase } from 'lmdb'
import { ConnectorError, messageOf } from '../core/errors.js'
import type { Capacity } from './capacity.js'

export type Write = () => Promise<unknown>

export interface WriteOptions {
  readonly once?: boolean
  /** Roughly what is added that `Capacity.take` has not counted. */
  readonly bytes?: number
  readonly written?: (() => boolean) | undefined
}

type OnWarning = (message: string, error?: unknown) => void

export class Writer {
  readonly #root: RootDatabase
  readonly #capacity: Capacity
  readonly #onWarning: OnWarning | undefined
  readonly #underWay = new Set<(error: ConnectorError) => void>()
  #broken: ConnectorError | undefined

  constructor(root: RootDatabase, capacity: Capacity, onWarning: OnWarning | undefined) {
    this.#root = root
    this.#capacity = capacity
    this.#onWarning = onWarning
  }

  /** Why nothing will be written any more. */
  get broken(): ConnectorError | undefined {
    return this.#broken
  }

  /**
   * Resolves once the write is durable. Unless `once`, it is tried again with the room that the reserve gives.
   * @param written reads back, from what LMDB has committed, whether the write is there
   * @throws ConnectorError JOURNAL_WRITE_FAILED; JOURNAL_UNUSABLE: for good
   */
  async write(write: Write, { once = false, bytes = 0, written }: WriteOptions = {}): Promise<void> {
    try {
      await this.#attempt(write, bytes, written)
    } catch (error) {
      this.#failed(error)
      if (once) throw failure(error)
      await this.#attempt(write, bytes, written).catch((second: unknown) => {
        this.#failed(second)
        throw failure(second)
      })
    }
  }

  #attempt(write: Write, bytes: number, written: (() => boolean) | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#broken) return reject(this.#broken)
      if (!this.#capacity.fitsOnDisk(bytes)) return reject(new Error('no space is left on the disk'))
      this.#underWay.add(reject)
      void settled(write)
        .then(
          () => this.#assertWritten(written),
          (error: Error) => this.#assertWritten(written, error),
        )
        .then(resolve, reject)
        .finally(() => this.#underWay.delete(reject))
    })
  }

  /**
   * lmdb-js answers all writes of a turn by one promise, and around a failed commit (a full disk) that promise can say
   * done of what was not written, and failed of what was. So its word is not taken: what was committed can be read.
   */
  #assertWritten(written: (() => boolean) | undefined, error?: Error): void {
    if (written === undefined && error === undefined) return
    if (written?.()) return
    this.#root.resetReadTxn() // the snapshot may be older than the commit
    if (!written?.()) throw error ?? new Error('the commit was reported as done, but nothing was written')
  }

  /** @throws ConnectorError JOURNAL_UNUSABLE */
  #failed(error: unknown): void {
    if (!this.#broken && !this.#isAlive()) {
      const message = `the journal's root page can't be written: ${messageOf(error)}; see to the disk and restart`
      this.#broken = new ConnectorError('JOURNAL_UNUSABLE', message, { cause: error })
      this.#onWarning?.(this.#broken.message, error)
      for (const reject of this.#underWay) reject(this.#broken)
    }
    if (this.#broken) throw this.#broken
    if (this.#capacity.writeFailed()) this.#onWarning?.('a journal write failed', error)
  }

  /** A dead environment refuses to begin a read transaction. */
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

/** lmdb-js reports a failed commit twice; the second promise would end the process if nobody took it. */
async function settled(write: Write): Promise<void> {
  try {
    await write()
  } catch (error) {
    const { commitError } = error as { commitError?: Promise<unknown> }
    if (commitError === undefined) throw error
    await commitError // rejects with the cause
    throw error
  }
}

const failure = (error: unknown): ConnectorError =>
  new ConnectorError('JOURNAL_WRITE_FAILED', `the journal can't be written: ${messageOf(error)}`, { cause: error })
