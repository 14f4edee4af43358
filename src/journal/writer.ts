/**
 * Every write of the journal goes through here: what a failed one means, and what is tried once more.
 *
 * A failed commit takes the whole group of writes with it that shared it; LMDB goes on. Only when it could not write its
 * root page it refuses everything until it is opened again, and lmdb-js then never answers: that is looked for after
 * each failure, and ends every write, those under way included.
 */
import type { RootDatabase } from 'lmdb'
import { ConnectorError, messageOf } from '../errors.js'
import type { Capacity } from './capacity.js'

export type Write = () => Promise<unknown>
type OnTrouble = (message: string, error?: unknown) => void

export class Writer {
  readonly #root: RootDatabase
  readonly #capacity: Capacity
  readonly #onTrouble: OnTrouble | undefined
  readonly #underWay = new Set<(error: ConnectorError) => void>()
  #broken: ConnectorError | undefined

  constructor(root: RootDatabase, capacity: Capacity, onTrouble: OnTrouble | undefined) {
    this.#root = root
    this.#capacity = capacity
    this.#onTrouble = onTrouble
  }

  /** Why nothing will be written any more. */
  get broken(): ConnectorError | undefined {
    return this.#broken
  }

  /**
   * Resolves once the write is durable. Unless `once`, it is tried again with the room that the reserve gives.
   * @throws ConnectorError JOURNAL_WRITE_FAILED; JOURNAL_UNUSABLE: for good
   */
  async write(write: Write, { once = false } = {}): Promise<void> {
    try {
      await this.#attempt(write)
    } catch (error) {
      this.#failed(error)
      if (once) throw failure(error)
      await this.#attempt(write).catch((second: unknown) => {
        this.#failed(second)
        throw failure(second)
      })
    }
  }

  #attempt(write: Write): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#broken) return reject(this.#broken)
      this.#underWay.add(reject)
      void settled(write)
        .then(resolve, reject)
        .finally(() => this.#underWay.delete(reject))
    })
  }

  /** @throws ConnectorError JOURNAL_UNUSABLE */
  #failed(error: unknown): void {
    if (!this.#broken && !this.#isAlive()) {
      const message = `the journal's root page can't be written: ${messageOf(error)}; see to the disk and restart`
      this.#broken = new ConnectorError('JOURNAL_UNUSABLE', message, { cause: error })
      this.#onTrouble?.(this.#broken.message, error)
      for (const reject of this.#underWay) reject(this.#broken)
    }
    if (this.#broken) throw this.#broken
    if (this.#capacity.writeFailed()) this.#onTrouble?.('a journal write failed', error)
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
