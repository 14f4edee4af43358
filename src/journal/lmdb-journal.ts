/**
 * The journal on LMDB.
 *
 * Constraints
 * - `append` resolves after the fsync of the LMDB transaction that holds the entry. lmdb-js groups everything that waits
 *   into one transaction, so the cost of an fsync is shared. It writes in the order of the calls: when an entry can be
 *   read, every entry with a smaller number can be too, or never will.
 * - Nothing may be renumbered or released before the broker's position was read (`recover`).
 * - Sequence numbers never meet an old position: each run starts at the wall clock in microseconds, or behind the last
 *   number used, whichever is higher.
 * - A batch is written even if its callback throws: nothing that can throw stands in one.
 *
 * Format: see environment.ts. States: open -> recovered (once per `Publisher.open`) -> closed.
 */
import { randomBytes } from 'node:crypto'
import { mkdirSync } from 'node:fs'
import type { Clock } from '../core/clock.js'
import { ConnectorError, messageOf } from '../core/errors.js'
import { Capacity } from './capacity.js'
import { type Environment, openEnvironment } from './environment.js'
import { BYTES_PER_ID, IdIndex, type IdIndexLimits } from './id-index.js'
import type { FirstSeen, Entry, Journal, JournalStats, NewEntry, Nonce, IndexUpdates } from './journal.js'
import { type DirectoryLock, lockDirectory } from './lock.js'
import { writeMarks } from './marks.js'
import { NonceStore } from './nonce-store.js'
import { Oldest } from './oldest.js'
import { readEntries } from './read.js'
import { UnconfirmedAppends } from './unconfirmed-appends.js'
import { bytesIn, entryCount, spareBytes } from './pages.js'
import { rememberInto } from './remember.js'
import { queueRenumbering } from './renumber.js'
import { LmdbTopicProgress } from './topic-progress.js'
import { LmdbWatchList } from './watch-list.js'
import { Writer } from './writer.js'

export interface LmdbJournalOptions {
  readonly directory: string
  /** Bytes that entries may take on the disk; what is remembered of released ones comes on top. */
  readonly maxBytes: number
  /** Bytes kept free for a page that was asked for. */
  readonly reserveBytes: number
  readonly duplicates: IdIndexLimits
  readonly clock: Clock
  /** A write failed and the journal went on, or came back: for the log. */
  readonly onWarning?: (message: string, error?: unknown) => void
}

export class LmdbJournal implements Journal {
  readonly id: string
  readonly watchList: LmdbWatchList
  readonly topicProgress: LmdbTopicProgress
  readonly recordPublished: Journal['recordPublished']
  readonly #env: Environment
  readonly #nonces: NonceStore
  readonly #ids: IdIndex
  readonly #capacity: Capacity
  readonly #writer: Writer
  readonly #lock: DirectoryLock
  readonly #clock: Clock
  readonly #waiting = new Set<() => void>()
  readonly #reads = new UnconfirmedAppends()
  #next: number
  #released: number
  /** The highest number whose entry is durable. */
  #durable: number
  readonly #oldest: Oldest

  /** @throws ConnectorError JOURNAL_HELD, JOURNAL_UNUSABLE */
  static async open(options: LmdbJournalOptions): Promise<LmdbJournal> {
    const { directory } = options
    let lock: DirectoryLock | undefined
    let env: Environment | undefined
    try {
      mkdirSync(directory, { recursive: true })
      lock = await lockDirectory(directory)
      env = openEnvironment(directory)
      return new LmdbJournal(env, lock, options)
    } catch (error) {
      await env?.root.close()
      await lock?.release()
      if (error instanceof ConnectorError) throw error
      const message = `the journal in ${directory} can't be opened: ${messageOf(error)}`
      throw new ConnectorError('JOURNAL_UNUSABLE', message, { cause: error })
    }
  }

  private constructor(env: Environment, lock: DirectoryLock, options: LmdbJournalOptions) {
    this.#env = env
    this.#lock = lock
    this.#clock = options.clock
    this.#nonces = new NonceStore(env, options.clock)
    this.#oldest = new Oldest(env)
    this.#ids = new IdIndex(env, options.duplicates, options.onWarning)
    this.#capacity = new Capacity(options, { entries: () => bytesIn(env.entries), spare: () => spareBytes(env) })
    this.#writer = new Writer(env.root, this.#capacity, options.onWarning)
    this.watchList = new LmdbWatchList(env, this.#writer)
    this.topicProgress = new LmdbTopicProgress(env, this.#writer)
    this.recordPublished = rememberInto({
      env,
      writer: this.#writer,
      ids: this.#ids,
      watchList: this.watchList,
      clock: options.clock,
    })

    const { meta, entries } = env
    this.#released = (meta.get('released') as number | undefined) ?? -1
    const [last = this.#released] = entries.getKeys({ reverse: true, limit: 1 })
    this.#durable = last
    this.#next = Math.max(last + 1, options.clock.now() * 1000)

    const id = meta.get('id') as string | undefined
    this.id = id ?? randomBytes(9).toString('hex')
    // An earlier run that read no position left its mark; it counts unless the clock was set back behind it since.
    const mark = meta.get('unverifiedFrom') as number | undefined
    const unverifiedFrom = Math.min(mark ?? Infinity, this.#next)
    const marks = { ...(id === undefined && { id: this.id }), ...(unverifiedFrom !== mark && { unverifiedFrom }) }
    writeMarks(env, marks, this.#capacity)
  }

  get releasedUpTo(): number {
    return this.#released
  }

  async append(entry: NewEntry, nonce?: Nonce): Promise<number> {
    const { root, entries } = this.#env
    // To say "used" of a nonce whose write then fails would burn it: nobody would have the item.
    for (let first; (first = nonce && this.#nonces.underWay(nonce)) !== undefined;) await first
    const claim = nonce && this.#nonces.claim(nonce)
    let size: number | undefined
    let seq = -1
    // A number for each attempt: by the time of a second one the pipeline may have passed the first.
    const put = (): Promise<boolean> => entries.put((seq = this.#reads.begin(this.#next++, seq)), entry)
    const putWithNonce = (): Promise<boolean> =>
      root.batch(() => {
        void put()
        claim?.queue()
      })
    let durable = false
    try {
      size = this.#capacity.take(entry)
      const written = (): boolean => this.#reads.has(seq) || entries.doesExist(seq) // invariant 1
      await this.#writer.write(claim ? putWithNonce : put, { once: entry.via !== 'PULL', written })
      durable = true
      if (seq > this.#durable) this.#durable = seq
      return seq
    } finally {
      if (size !== undefined) this.#capacity.settle(size, durable)
      this.#reads.end(seq)
      claim?.settle()
      for (const wake of this.#waiting) wake()
    }
  }

  refusalReason(): string | null {
    return this.#writer.broken?.message ?? this.#capacity.refusal()
  }

  hasRoomFor(bytes: number): boolean {
    return !this.#writer.broken && this.#capacity.hasRoomFor(bytes)
  }

  reserveRoom(bytes: number): () => void {
    return this.#capacity.reserveRoom(bytes)
  }

  read(after: number, bounds: { readonly entries: number; readonly bytes: number }): Entry[] {
    return this.#reads.saw(readEntries(this.#env, after, bounds))
  }

  waitForEntry(after: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const check = (): void => {
        const { broken } = this.#writer
        if (this.#durable <= Math.max(after, this.#released) && !signal.aborted && !broken) return
        this.#waiting.delete(check)
        signal.removeEventListener('abort', check)
        if (broken) reject(broken)
        else resolve()
      }
      this.#waiting.add(check)
      signal.addEventListener('abort', check)
      check()
    })
  }

  async recover(position: number): Promise<number> {
    const { root, entries, meta } = this.#env
    const from = meta.get('unverifiedFrom') as number | undefined
    if (from !== undefined) {
      const below = Math.max(this.#next, position + 1)
      // The numbers behind `below` are for what is renumbered, then for what arrives from now on. This write is queued
      // behind every append that still has an older number, so all of those can be read after it.
      this.#next = below + entryCount(entries) + this.#capacity.pending + 1
      await this.#writer.write(() => meta.put('barrier', below), { written: () => meta.get('barrier') === below })
      // Durable before anything can be published: else a next run would take committed entries for unverified ones.
      let last = -1
      await this.#writer.write(
        () =>
          root.batch(() => {
            last = queueRenumbering(entries, { from, below, position })
            void meta.remove('unverifiedFrom')
          }),
        { written: () => meta.get('unverifiedFrom') === undefined },
      )
      if (last > this.#durable) this.#durable = last
    }
    // Invariant 2: what the broker does not know of was released by us, so the higher number counts.
    return Math.max(position, this.#released)
  }

  async release(upTo: number, notes: IndexUpdates): Promise<void> {
    const { root, entries, meta } = this.#env
    const now = this.#clock.now()
    await this.#writer.write(
      () =>
        root.batch(() => {
          for (const key of entries.getKeys({ end: upTo + 1 })) void entries.remove(key)
          void meta.put('released', upTo)
          this.#ids.queue(notes.occurrences, now)
          this.watchList.queue(notes.watchChanges)
          this.#nonces.queueExpiry(now)
        }),
      { bytes: notes.occurrences.length * BYTES_PER_ID, written: () => meta.get('released') === upTo },
    )
    this.#released = upTo
    // LMDB gives out the pages that a transaction has freed from the next but one on: on a full disk here is that one.
    if (this.#capacity.emergency) await this.#writer.write(() => meta.put('released', upTo))
    this.#capacity.released()
  }

  findFirstSeen(eventId: string): FirstSeen | undefined {
    return this.#ids.firstArrival(eventId)
  }

  stats(): JournalStats {
    const { entries } = this.#env
    return {
      entries: entryCount(entries),
      bytes: this.#capacity.bytes,
      oldestReceivedAt: this.#oldest.receivedAt,
      idsForgottenEarly: this.#ids.idsForgottenEarly,
    }
  }

  async close(): Promise<void> {
    // What lmdb-js never answers it would wait for here.
    if (!this.#writer.broken) await this.#env.root.close()
    await this.#lock.release()
  }
}
