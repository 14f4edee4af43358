/**
 * The journal on LMDB.
 *
 * # Constraints
 * - An append resolves after the fsync of the LMDB transaction that holds the entry (invariant 1).
 * - Entries become visible in the order of their sequence numbers: when an entry can be read, every entry with a smaller
 *   number can be read as well, or its append has failed.
 * - Sequence numbers do not meet an old position again. Each run begins at the wall clock in microseconds, or behind the
 *   last number that was used, whichever is higher. So neither the restoration of an old copy of the journal nor the loss of
 *   the position in Kafka can hide a new entry. The one exception, a clock that runs backwards, is handled by the recovery.
 * - Nothing is released or renumbered before the position was read from the broker (`recover`).
 * - lmdb-js commits a batch even if its callback throws. No batch contains code that throws for a reason of its own.
 *
 * # Layout on disk
 * - `lmdb/data.mdb`: the LMDB environment. environment.ts describes its databases, and entry-codec.ts encrypted entries.
 * - `reserve.bin`: room for answers that were already requested (disk-reserve.ts).
 * - `lock.<n>`: the socket that keeps other processes out (directory-lock.ts).
 *
 * Files that are removed while the process runs: data-file-check.ts finds out about the data file. The others are made again
 * when they are needed.
 *
 * What earlier builds wrote stays readable: no stored key or field is ever renamed.
 *
 * # Write
 * lmdb-js puts all writes that wait into one transaction, so that many appends share one fsync, and it commits them in the
 * order of the calls. Every write goes through writer.ts, which decides what a failed one means, and every entry through
 * capacity.ts, which knows whether it fits. If its write fails, a page of a destructive queue is tried once more with the room
 * of the reserve, because it is the only copy there is. The failed write of any other entry is reported at once.
 *
 * # Read
 * `read` sees an entry as soon as LMDB has committed it. That can be before lmdb-js has settled the promise of the append.
 * The pipeline may then have published and released the entry, so that the append finds nothing when it verifies its write.
 * The journal therefore notes which unconfirmed appends were read: what was read was committed.
 *
 * # Release
 * One transaction deletes the entries and stores what is remembered of them: the first occurrences of event ids, the changes
 * of the watch list, and the last sequence number that was released. The same transaction deletes event ids and nonces whose
 * time is over. A filter in memory knows most ids that are not in the index (event-id-filter.ts).
 *
 * # Recovery
 * `unverifiedFrom` is the first sequence number that was given out before any run had read the position. If a position lies
 * at or above it, numbers were given out twice: the clock ran backwards, and the journal is an old copy of itself. The broker
 * knows other entries by these numbers, and a release by number would lose the entries that carry them now. So `recover`
 * moves those entries above the position, in their order; encrypted ones are encrypted anew, because they are bound to their
 * numbers. A barrier write makes sure that every append under an old number
 * has ended before.
 *
 * # States
 * A journal is opened, recovered once for each producer that is opened, and closed.
 */
import { randomBytes } from 'node:crypto'
import { fstatSync } from 'node:fs'
import { constants } from 'node:os'
import { dirname } from 'node:path'
import { asBinary } from 'lmdb'
import type { Clock } from '../core/clock.js'
import { ConnectorError, messageOf } from '../core/errors.js'
import type { Log } from '../core/log.js'
import { Capacity, type CapacityOptions } from './capacity.js'
import { DataFileCheck } from './data-file-check.js'
import { canLockDataFiles, type DataFileLock, lockDataFile } from './data-file-lock.js'
import { type DirectoryLock, heldError, lockDirectory } from './directory-lock.js'
import { type EncryptionKeys, EntryCodec, keyIdOf, missingKeyError, type StoredValue } from './entry-codec.js'
import {
  dataFileOf,
  entryCount,
  type Environment,
  type MetaKey,
  openEnvironment,
  unusedBytes,
  usedBytes,
} from './environment.js'
import { EventIdIndex, type EventIdIndexOptions, WRITE_BYTES_PER_ID } from './event-id-index.js'
import {
  type CustodyRefusalCause,
  type CustodyRoom,
  type Entry,
  type EntryWithOrigin,
  type FirstSeen,
  type IndexUpdates,
  isOnlyCopy,
  type Journal,
  type JournalStats,
  type NewEntry,
  type Nonce,
  type PublishedEvent,
  type ReadBounds,
  type TopicProgress,
  type WatchChange,
} from './journal.js'
import { assertNoLinks, createDirectory, describeWideAccess } from './journal-directory.js'
import { NonceStore } from './nonce-store.js'
import { fromStoredEntry, toStoredEntry } from './stored-entry.js'
import { LmdbWatchList } from './watch-list.js'
import { Writer } from './writer.js'

export interface LmdbJournalOptions extends CapacityOptions {
  readonly duplicates: EventIdIndexOptions
  /** Messages on the watch list. Default: no limit. */
  readonly maxWatchedMessages?: number
  /** Entries are written plain if this is left out. */
  readonly encryption?: EncryptionKeys
  /** Receives what the operator should know, for example when the disk refuses writes and when it takes them again. */
  readonly log?: Log
  /** Is called if Kafka's position shows that this journal is an older copy of itself, with a sentence on what follows. */
  readonly onOlderCopy?: (warning: string) => void
}

/** The first occurrence of an event that another replica has published: below every number that a journal gives out. */
const BEFORE_EVERY_ENTRY: FirstSeen = { seq: -1, itemIndex: 0 }

const MICROSECONDS_PER_MS = 1_000

/** What keeps other processes out, for as long as the journal is open. */
interface JournalLocks {
  readonly lock: DirectoryLock
  readonly fileLock: DataFileLock
}

/** Logs who else may read the journal, and how far it is locked. */
function warnOfAccess({ directory, log }: LmdbJournalOptions): void {
  const wideAccess = describeWideAccess(directory)
  if (wideAccess !== undefined) log?.warn({ event: 'journal-access-wide' }, wideAccess)
  if (canLockDataFiles) return
  log?.warn(
    { event: 'journal-lock-limited' },
    'fs-native-extensions has no binary for this platform, so only lock.<n> in the directory of the journal keeps another process ' +
      'out: nobody may delete that file while the connector runs',
  )
}

/** LMDB gives the number of an error of the system as the code, and Node.js its name. */
const DISK_FULL: ReadonlySet<unknown> = new Set(['ENOSPC', 'EDQUOT', constants.errno.ENOSPC, constants.errno.EDQUOT])

/** What to do about an error of the system, which has a code. Any other error says itself what to do. */
const remedyFor = (error: unknown): string => {
  const { code } = error as { readonly code?: unknown }
  if (code === undefined) return ''
  return DISK_FULL.has(code)
    ? '; free space on this disk, or enlarge it, and start again'
    : '; check journal.directory and the rights of this user'
}

export class LmdbJournal implements Journal {
  readonly id: string
  readonly watchList: LmdbWatchList
  readonly #env: Environment
  readonly #lock: DirectoryLock
  readonly #fileLock: DataFileLock
  readonly #clock: Clock
  readonly #nonces: NonceStore
  readonly #eventIds: EventIdIndex
  readonly #capacity: Capacity
  readonly #writer: Writer
  readonly #dataFile: DataFileCheck
  readonly #codec: EntryCodec
  readonly #onOlderCopy: LmdbJournalOptions['onOlderCopy']
  /** One for each pending `waitForEntry`: settles it if it can be settled. */
  readonly #settleWaiters = new Set<() => void>()
  /** Sequence numbers of the appends that lmdb-js has not confirmed, and whether `read` has returned their entries. */
  readonly #unconfirmedAppends = new Map<number, boolean>()
  #nextSeq: number
  #releasedUpTo: number
  /** The releases that were begun, those of earlier runs included. */
  #releases: number
  /** The highest sequence number whose entry is durable. */
  #durableUpTo: number
  /** The oldest entry at the last look. It may be a page of 64 MiB, so it is not read again while it is the oldest. */
  #oldest: { readonly seq: number; readonly receivedAt: number | null } | undefined

  /** @throws ConnectorError JOURNAL_HELD, JOURNAL_UNUSABLE; CONFIG_INVALID if a key is missing that an entry is encrypted with */
  static async open(options: LmdbJournalOptions): Promise<LmdbJournal> {
    const { directory } = options
    let lock: DirectoryLock | undefined
    let fileLock: DataFileLock | undefined
    let env: Environment | undefined
    try {
      createDirectory(directory)
      assertNoLinks(directory)
      lock = await lockDirectory(directory)
      createDirectory(dirname(dataFileOf(directory)))
      fileLock = await lockDataFile(dataFileOf(directory))
      if (fileLock === undefined) throw heldError(directory)
      env = openEnvironment(directory)
      warnOfAccess(options)
      return new LmdbJournal(env, { lock, fileLock }, options)
    } catch (error) {
      await env?.root.close()
      fileLock?.release()
      await lock?.release()
      if (error instanceof ConnectorError) throw error
      const message = `the journal in ${directory} can't be opened: ${messageOf(error)}${remedyFor(error)}`
      throw new ConnectorError('JOURNAL_UNUSABLE', message, { cause: error })
    }
  }

  private constructor(env: Environment, { lock, fileLock }: JournalLocks, options: LmdbJournalOptions) {
    const { clock, duplicates, log, onOlderCopy } = options
    const { meta, entries } = env
    const id = meta.get('id') as string | undefined
    this.id = id ?? randomBytes(9).toString('hex')
    this.#codec = new EntryCodec(this.id, options.encryption)
    const encryptionKeys = findEncryptionKeys(env, this.#codec, options.directory)
    this.#env = env
    this.#lock = lock
    this.#fileLock = fileLock
    this.#clock = clock
    this.#onOlderCopy = onOlderCopy
    this.#nonces = new NonceStore(env, clock)
    this.#capacity = new Capacity(options, { entries: () => usedBytes(env.entries), unused: () => unusedBytes(env) })
    this.#writer = new Writer(env.root, this.#capacity, log)
    this.#dataFile = new DataFileCheck(dataFileOf(options.directory), fstatSync(fileLock.descriptor), { clock, log })
    this.watchList = new LmdbWatchList(env, this.#writer, options.maxWatchedMessages ?? Infinity)

    this.#releasedUpTo = (meta.get('released') as number | undefined) ?? -1
    this.#releases = (meta.get('releases') as number | undefined) ?? 0
    const [lastSeq = this.#releasedUpTo] = entries.getKeys({ reverse: true, limit: 1 })
    this.#durableUpTo = lastSeq
    this.#nextSeq = Math.max(lastSeq + 1, clock.now() * MICROSECONDS_PER_MS)

    const changes = new Map<MetaKey, string | number>()
    if (id === undefined) changes.set('id', this.id)
    // This is durable before the first entry that is encrypted with a new key.
    if (encryptionKeys !== (meta.get('encryptionKeys') ?? '')) changes.set('encryptionKeys', encryptionKeys)
    // An earlier run that did not read the position has left its first number. The number of this run is lower if the clock
    // was set back and that run appended nothing.
    const earlierFrom = meta.get('unverifiedFrom') as number | undefined
    const unverifiedFrom = Math.min(earlierFrom ?? Infinity, this.#nextSeq)
    if (unverifiedFrom !== earlierFrom) changes.set('unverifiedFrom', unverifiedFrom)
    if (changes.size > 0) this.#writeMetaSync(changes)
    // It goes on to read after this. If opening fails, nothing may read from the environment any more.
    this.#eventIds = new EventIdIndex(env, duplicates, log)
  }

  get releasedUpTo(): number {
    return this.#releasedUpTo
  }

  /**
   * A sentence on why what is written would not survive this process, although LMDB writes it: the data file was removed or
   * replaced. Null while it is in its place.
   */
  get dataFileProblem(): string | null {
    return this.#dataFile.problem
  }

  async append(entry: NewEntry, nonce?: Nonce): Promise<number> {
    const { root, entries } = this.#env
    // Invariant 1: an fsync of a removed file makes nothing durable. A page of a destructive queue is the only copy there is,
    // so it is written nevertheless, and published from the open file. No further page is requested (`hasRoomFor`).
    const problem = isOnlyCopy(entry) ? null : this.#dataFile.problem
    if (problem !== null) throw new ConnectorError('JOURNAL_WRITE_FAILED', problem)
    // If the pending write of the same nonce fails, the nonce is still unused. A refusal now would lose both entries.
    while (nonce !== undefined && this.#nonces.pendingWrite(nonce)) await this.#nonces.pendingWrite(nonce)
    const claim = nonce && this.#nonces.claim(nonce)
    const stored = toStoredEntry(entry, this.#clock.now())
    let admittedBytes: number | undefined
    let isDurable = false
    let seq = -1
    const putEntry = (): Promise<boolean> => {
      // Each attempt takes a new number, because the pipeline may have read past the number of the failed one.
      this.#unconfirmedAppends.delete(seq)
      seq = this.#nextSeq
      this.#nextSeq++
      this.#unconfirmedAppends.set(seq, false)
      return entries.put(seq, this.#codec.encode(stored, seq))
    }
    const putEntryAndNonce = (): Promise<boolean> =>
      root.batch(() => {
        void putEntry()
        claim?.queueWrite()
      })
    try {
      admittedBytes = this.#capacity.admit(entry)
      // Invariant 1: lmdb-js's report alone does not prove that the entry is durable.
      const isWritten = (): boolean => this.#unconfirmedAppends.get(seq) === true || entries.doesExist(seq)
      await this.#writer.write(claim ? putEntryAndNonce : putEntry, { retry: isOnlyCopy(entry), isWritten })
      isDurable = true
      this.#durableUpTo = Math.max(this.#durableUpTo, seq)
      return seq
    } finally {
      if (admittedBytes !== undefined) this.#capacity.settle(admittedBytes, isDurable)
      this.#unconfirmedAppends.delete(seq)
      claim?.settle()
      for (const settleWaiter of this.#settleWaiters) settleWaiter()
    }
  }

  async appendAll(newEntries: readonly EntryWithOrigin[]): Promise<void> {
    const { root, entries } = this.#env
    const problem = this.#dataFile.problem
    if (problem !== null) throw new ConnectorError('JOURNAL_WRITE_FAILED', problem)
    const now = this.#clock.now()
    const firstSeq = this.#nextSeq
    const encoded = newEntries.map((entry, index) => this.#codec.encode(toStoredEntry(entry, now), firstSeq + index))
    const lastSeq = firstSeq + encoded.length - 1
    const admitted: number[] = []
    let isDurable = false
    try {
      for (const entry of newEntries) admitted.push(this.#capacity.admit(entry))
      this.#nextSeq = lastSeq + 1
      for (let seq = firstSeq; seq <= lastSeq; seq++) this.#unconfirmedAppends.set(seq, false)
      const putAll = (): Promise<boolean> =>
        root.batch(() => {
          for (const [index, value] of encoded.entries()) void entries.put(firstSeq + index, value)
        })
      // Invariant 1: lmdb-js's report alone does not prove that the entries are durable. One transaction holds all of them.
      const isWritten = (): boolean => this.#unconfirmedAppends.get(lastSeq) === true || entries.doesExist(lastSeq)
      await this.#writer.write(putAll, { retry: false, isWritten })
      isDurable = true
      this.#durableUpTo = Math.max(this.#durableUpTo, lastSeq)
    } finally {
      for (const size of admitted) this.#capacity.settle(size, isDurable)
      for (let seq = firstSeq; seq <= lastSeq; seq++) this.#unconfirmedAppends.delete(seq)
      for (const settleWaiter of this.#settleWaiters) settleWaiter()
    }
  }

  refusalReason(): string | null {
    return this.#writer.fatalError?.message ?? this.#dataFile.problem ?? this.#capacity.refusalReason()
  }

  custodyRoom(): CustodyRoom {
    const refusal = this.refusalReason()
    const freeBytes = refusal === null ? this.#capacity.freeBytes() : 0
    const refusalCause = refusal === null ? null : this.#refusalCause()
    return { maxBytes: this.#capacity.maxBytes, freeBytes, refusal, refusalCause }
  }

  /** Why `refusalReason` gives one. */
  #refusalCause(): CustodyRefusalCause {
    if (this.#writer.fatalError) return 'unusable'
    if (this.#dataFile.problem !== null) return 'file-missing'
    return this.#capacity.isReserveFreed ? 'disk' : 'full'
  }

  hasRoomFor(bytes: number): boolean {
    if (this.#writer.fatalError || this.#dataFile.problem !== null) return false
    return this.#capacity.hasRoomFor(bytes)
  }

  reserveRoom(bytes: number): () => void {
    return this.#capacity.reserveRoom(bytes)
  }

  read(after: number, bounds: ReadBounds): Entry[] {
    const found: Entry[] = []
    let bytes = 0
    for (const { key: seq, value } of this.#env.entries.getRange({ start: after + 1, limit: bounds.entries })) {
      let entry: NewEntry
      try {
        entry = fromStoredEntry(this.#codec.decode(value, seq))
      } catch (error) {
        // Invariant 2: to pass the entry would release it. What was received before it is returned first.
        if (found.length > 0) break
        throw this.#unreadableEntryError(seq, error)
      }
      bytes += entry.body.byteLength
      if (found.length > 0 && bytes > bounds.bytes) break
      found.push({ ...entry, seq })
      if (this.#unconfirmedAppends.has(seq)) this.#unconfirmedAppends.set(seq, true)
    }
    return found
  }

  waitForEntry(after: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const settleIfPossible = (): void => {
        const { fatalError } = this.#writer
        const hasEntry = this.#durableUpTo > Math.max(after, this.#releasedUpTo)
        if (!hasEntry && !signal.aborted && !fatalError) return
        this.#settleWaiters.delete(settleIfPossible)
        signal.removeEventListener('abort', settleIfPossible)
        if (fatalError) reject(fatalError)
        else resolve()
      }
      this.#settleWaiters.add(settleIfPossible)
      signal.addEventListener('abort', settleIfPossible)
      settleIfPossible()
    })
  }

  async recover(position: number, isInsideNext = false): Promise<number> {
    const unverifiedFrom = this.#env.meta.get('unverifiedFrom') as number | undefined
    const highestKnown = isInsideNext ? position + 1 : position
    if (unverifiedFrom !== undefined) {
      this.#warnIfOlderThan(highestKnown, unverifiedFrom)
      await this.#verifyNumbers(unverifiedFrom, highestKnown)
    }
    // Invariant 2: a number above the position was released after a commit that the broker has forgotten since.
    return Math.max(position, this.#releasedUpTo)
  }

  async release(upTo: number, { occurrences, watchChanges }: IndexUpdates): Promise<void> {
    const { root, entries, meta } = this.#env
    const now = this.#clock.now()
    this.#releases++
    const releases = this.#releases
    const queueRelease = (): void => {
      for (const seq of entries.getKeys({ end: upTo + 1 })) void entries.remove(seq)
      void meta.put('released', upTo)
      void meta.put('releases', releases)
      this.#eventIds.queueAdditions(occurrences, now)
      this.watchList.queueChanges(watchChanges)
      this.#nonces.queueDeletions(now)
    }
    await this.#eventIds.duringWrite(() =>
      this.#writer.write(() => root.batch(queueRelease), {
        addedBytes: occurrences.length * WRITE_BYTES_PER_ID,
        isWritten: () => meta.get('releases') === releases,
      }),
    )
    this.#releasedUpTo = upTo
    // LMDB reuses the pages that a transaction frees from the transaction after the next one on. On a full disk these pages
    // are needed now, so a further transaction is made.
    if (this.#capacity.isReserveFreed) await this.#writer.write(() => meta.put('released', upTo))
    this.#capacity.measureAfterRelease()
  }

  async recordPublished(published: readonly PublishedEvent[], watchChanges: readonly WatchChange[]): Promise<void> {
    const unknown = published.filter(({ eventId }) => this.findFirstSeen(eventId) === undefined)
    if (unknown.length === 0 && watchChanges.length === 0) return
    const occurrences = unknown.map((event) => ({ ...event, ...BEFORE_EVERY_ENTRY }))
    const queueUpdates = (): void => {
      this.#eventIds.queueAdditions(occurrences, this.#clock.now())
      this.watchList.queueChanges(watchChanges)
    }
    await this.#eventIds.duringWrite(() =>
      this.#writer.write(() => this.#env.root.batch(queueUpdates), {
        addedBytes: occurrences.length * WRITE_BYTES_PER_ID,
      }),
    )
  }

  findFirstSeen(eventId: string): FirstSeen | undefined {
    return this.#eventIds.find(eventId)
  }

  topicProgress(source: string): TopicProgress | undefined {
    return this.#env.meta.get(`progress ${source}`) as TopicProgress | undefined
  }

  recordTopicProgress(sources: readonly string[], progress: TopicProgress): Promise<void> {
    const { root, meta } = this.#env
    const queueAll = (): void => {
      for (const source of sources) void meta.put(`progress ${source}`, progress)
    }
    return this.#writer.write(() => root.batch(queueAll))
  }

  followedUpTo(source: string): number {
    const { meta } = this.#env
    // The first builds stored this time beside the scans of a provider's message logs, under the second key.
    return ((meta.get(`followed ${source}`) ?? meta.get(`walked topics ${source}`)) as number | undefined) ?? 0
  }

  stats(): JournalStats {
    return {
      entries: entryCount(this.#env.entries),
      bytes: this.#capacity.bytes,
      oldestReceivedAt: this.#oldestReceivedAt(),
      idsForgottenEarly: this.#eventIds.forgottenEarly,
    }
  }

  async close(): Promise<void> {
    this.#eventIds.close()
    // Closing waits for every write, and lmdb-js never settles the writes of an environment that has failed for good.
    if (!this.#writer.fatalError) await this.#env.root.close()
    this.#fileLock.release()
    await this.#lock.release()
  }

  #oldestReceivedAt(): number | null {
    const { entries } = this.#env
    const [seq] = entries.getKeys({ limit: 1 })
    if (seq === undefined) return null
    if (this.#oldest?.seq !== seq) {
      this.#oldest = { seq, receivedAt: this.#receivedAtOf(seq) }
    }
    return this.#oldest.receivedAt
  }

  #receivedAtOf(seq: number): number | null {
    try {
      const stored = this.#env.entries.get(seq)
      const entry = stored && this.#codec.decode(stored, seq)
      return entry?.handedInAt ?? entry?.receivedAt ?? null
    } catch {
      // The number of an entry that can't be read is at least the wall clock at the start of the run that received it.
      return Math.floor(seq / MICROSECONDS_PER_MS)
    }
  }

  #unreadableEntryError(seq: number, error: unknown): ConnectorError {
    return new ConnectorError(
      'JOURNAL_ENTRY_UNREADABLE',
      `entry ${seq} of the journal in ${this.#capacity.directory} can't be read: ${messageOf(error)}. To publish what is behind it ` +
        'would lose it, so publishing waits. Restore the directory from a copy if there is one. Otherwise stop the process, move the ' +
        'directory away, take its other entries out with "journal export", and hand them in with "journal import"',
      { cause: error },
    )
  }

  /** Writes, before the first entry, what must be durable before it. */
  #writeMetaSync(changes: ReadonlyMap<MetaKey, string | number>): void {
    const { root, meta } = this.#env
    const write = (): void =>
      root.transactionSync(() => {
        for (const [key, value] of changes) meta.putSync(key, value)
      })
    try {
      write()
    } catch {
      // The disk may be full, so the write is tried again with the room of the reserve.
      this.#capacity.freeReserve()
      write()
    }
  }

  /** Entries from `unverifiedFrom` on are not published yet, so a position above all others is of entries that were here once. */
  #warnIfOlderThan(position: number, unverifiedFrom: number): void {
    const [lastVerified = -1] = this.#env.entries.getKeys({ reverse: true, start: unverifiedFrom - 1, limit: 1 })
    const lastSeq = Math.max(this.#releasedUpTo, lastVerified)
    if (position <= lastSeq) return
    this.#onOlderCopy?.(
      `Kafka holds position ${position} of journal ${this.id}, and the journal in ${this.#capacity.directory} ends at ` +
        `${lastSeq}: it is an older copy of itself, for example restored from a backup. What it had received since the copy ` +
        'and had not published is lost, unless the newer files still exist. What was published since the copy is not published ' +
        'again from here, but its event ids are not known here: an item that is received again may be published again with ' +
        'the same eventId',
    )
  }

  /** Settles the numbers that were given out before the position was read; see Recovery above. */
  async #verifyNumbers(unverifiedFrom: number, position: number): Promise<void> {
    const { root, entries, meta } = this.#env
    const newFrom = Math.max(this.#nextSeq, position + 1)
    // The numbers from `newFrom` on are for the entries that are moved, the ones behind them for entries that arrive from
    // now on.
    this.#nextSeq = newFrom + entryCount(entries) + this.#capacity.pendingAppends + 1
    // The barrier is queued behind every append that still has an older number, so all of these can be read after it.
    await this.#writer.write(() => meta.put('barrier', newFrom), { isWritten: () => meta.get('barrier') === newFrom })
    let lastMoved = -1
    const queueVerification = (): void => {
      lastMoved = this.#queueRenumbering(unverifiedFrom, newFrom, position)
      void meta.remove('unverifiedFrom')
    }
    // This must be durable before anything is published, or the next run would take committed entries for unverified ones.
    await this.#writer.write(() => root.batch(queueVerification), {
      isWritten: () => meta.get('unverifiedFrom') === undefined,
    })
    this.#durableUpTo = Math.max(this.#durableUpTo, lastMoved)
  }

  /**
   * Queues the writes that move the entries from `oldFrom` up to, not including, `newFrom` to the numbers from `newFrom` on.
   * The caller has opened the batch that they belong to. Nothing moves if no entry lies at or below the position.
   * @returns the highest number that was given, or -1 if nothing has to move
   */
  #queueRenumbering(oldFrom: number, newFrom: number, position: number): number {
    const { entries } = this.#env
    const [first] = entries.getKeys({ start: oldFrom, limit: 1 })
    if (first === undefined || first > position) return -1
    let next = newFrom
    for (const seq of entries.getKeys({ start: oldFrom, end: newFrom })) {
      void entries.put(next, this.#renumber(seq, next))
      void entries.remove(seq)
      next++
    }
    return next - 1
  }

  /** Returns the value of an entry under another number. An entry that can't be read is moved as it is. */
  #renumber(seq: number, newSeq: number): StoredValue {
    const { entries } = this.#env
    try {
      const stored = entries.get(seq)
      if (stored instanceof Uint8Array) return this.#codec.encode(this.#codec.decode(stored, seq), newSeq)
    } catch {
      // Publishing stops at it under its new number, as it would have under the old one.
    }
    return asBinary(entries.getBinary(seq)!) as unknown as StoredValue
  }
}

/**
 * Returns the ids of the keys that entries may be encrypted with from now on, as `meta` holds them.
 * @throws ConnectorError CONFIG_INVALID if an entry is encrypted with a key that is not given
 */
function findEncryptionKeys({ meta, entries }: Environment, codec: EntryCodec, directory: string): string {
  const stored = ((meta.get('encryptionKeys') as string | undefined) ?? '').split(',').filter((each) => each !== '')
  const inUse = entryCount(entries) === 0 ? [] : stored
  const unknown = inUse.filter((keyId) => !codec.hasKey(keyId))
  // The entries under such a key may all be released, so the entries themselves decide.
  const missing = unknown.length === 0 ? new Map<string, number>() : countByKey(entries, unknown)
  if (missing.size > 0) throw missingKeyError(directory, missing)
  const known = inUse.filter((keyId) => codec.hasKey(keyId))
  return [...new Set([...known, ...(codec.currentKeyId === null ? [] : [codec.currentKeyId])])].join(',')
}

/** Returns the number of entries that are encrypted with each of the keys, without those that have none. */
function countByKey(entries: Environment['entries'], keyIds: readonly string[]): ReadonlyMap<string, number> {
  const counts = new Map<string, number>()
  for (const seq of entries.getKeys()) {
    const keyId = keyIdAt(entries, seq)
    if (keyId !== null && keyIds.includes(keyId)) counts.set(keyId, (counts.get(keyId) ?? 0) + 1)
  }
  return counts
}

function keyIdAt(entries: Environment['entries'], seq: number): string | null {
  try {
    return keyIdOf(entries.get(seq)!)
  } catch {
    // Nothing that is encrypted is damaged in such a way.
    return null
  }
}
