/** The LMDB environment of a journal: its databases, how it is opened, and how much of its file is in use. */
import { closeSync, constants, fstatSync, fsyncSync, openSync, readSync, truncateSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { open } from 'lmdb'
import { openOwnFile } from '../core/files.js'
import { diskSpace } from './disk-reserve.js'
import type { StoredValue } from './entry-codec.js'
import type { TopicProgress } from './journal.js'
import { createDirectory } from './journal-directory.js'

/**
 * Keys of the `meta` database:
 * - `id`: the id of the journal.
 * - `released`: the last sequence number that was released.
 * - `releases`: how many releases there were. Releases inside one entry have the same sequence number, and only this tells
 *   them apart.
 * - `unverifiedFrom`: the first sequence number that was given out before any run had read the position from Kafka.
 * - `barrier`: written by `recover` to learn that every write before it has ended.
 * - `walked <log> <source>`: when the last complete scan of a provider's message log began. The word is from an earlier
 *   build and stays, so that journals of that build can be read.
 * - `encryptionKeys`: the ids of the keys that entries may be encrypted with, separated by commas.
 * - `progress <source>`: how far the topics have been read.
 * - `followed <source>`: the time up to which an earlier build had read the topics. It is read and no longer written.
 */
export type MetaKey =
  | 'id'
  | 'released'
  | 'releases'
  | 'unverifiedFrom'
  | 'barrier'
  | 'encryptionKeys'
  | `walked ${string}`
  | `progress ${string}`
  | `followed ${string}`

export type Environment = ReturnType<typeof openEnvironment>

/**
 * An option that lmdb-js's types do not declare. By default lmdb-js lets its writing thread start on a batch after 1,000
 * writes, before the batch is complete. The thread can then miss the end of the batch if the instructions continue in
 * another buffer.
 */
const START_ONLY_COMPLETE_BATCHES = { batchStartThreshold: Number.MAX_SAFE_INTEGER }

const environmentOf = (directory: string): string => join(directory, 'lmdb')

/** The path of the data file of the journal in `directory`. */
export const dataFileOf = (directory: string): string => join(environmentOf(directory), 'data.mdb')

/** What a new journal needs on its disk. With less, the process may end inside LMDB without a message. */
const NEW_JOURNAL_BYTES = 1024 * 1024

/** @throws Error if the data file exists and is not an LMDB file, or if the disk has no room for a new journal */
export function openEnvironment(directory: string) {
  const path = environmentOf(directory)
  createDirectory(path)
  assertIsDataFile(dataFileOf(directory))
  emptyUnwrittenFile(dataFileOf(directory))
  assertHasRoom(directory)
  // LMDB would create it for the group as well, depending on the umask. The data file was created by the lock on it.
  allocateLockFile(join(path, 'lock.mdb'))
  const root = open({
    path,
    maxDbs: 8,
    // LMDB documents that its plain commit survives a power failure. It was not slower than lmdb-js's overlapping sync.
    overlappingSync: false,
    // With this option lmdb-js begins each group of writes with a promise that no caller receives. When the commit fails,
    // the unhandled rejection of that promise ends the process.
    eventTurnBatching: false,
    ...START_ONLY_COMPLETE_BATCHES,
  })
  // A new file survives a power failure only if the directories that contain it are synced as well.
  syncDirectory(path)
  syncDirectory(directory)
  const encoding = { encoding: 'msgpack' } as const
  return {
    root,
    /** Sequence number -> entry, plain or encrypted. */
    entries: root.openDB<StoredValue, number>('entries', encoding),
    meta: root.openDB<string | number | TopicProgress, MetaKey>('meta', encoding),
    /** Hash of the nonce -> expiry, in milliseconds since the epoch. */
    nonces: root.openDB<number, string>('nonces', encoding),
    /** [expiry, hash of the nonce], so that the next nonce to delete comes first. */
    noncesByExpiry: root.openDB<null, [number, string]>('nonces-by-expiry', encoding),
    /** Event id -> [sequence number, index of the item] of its first occurrence. */
    ids: root.openDB<[number, number], string>('ids', encoding),
    /** [receivedAt, event id], so that the next event id to delete comes first. */
    idsByAge: root.openDB<null, [number, string]>('ids-by-age', encoding),
    /** [source, message id] -> [watched since, last asked]. */
    watch: root.openDB<[number, number], [string, string]>('watch', encoding),
  }
}

interface TreeStats {
  readonly pageSize: number
  readonly entryCount: number
  readonly treeBranchPageCount: number
  readonly treeLeafPageCount: number
  readonly overflowPages: number
}

/** The part of lmdb-js's `getStats()` that is used here. */
interface DatabaseStats extends TreeStats {
  readonly root: TreeStats
  readonly free: TreeStats
  readonly lastPageNumber: number
}

interface Measurable {
  getStats(): unknown
}

const statsOf = (db: Measurable): DatabaseStats => db.getStats() as DatabaseStats

const pageBytes = (tree: TreeStats): number =>
  tree.pageSize * (tree.treeBranchPageCount + tree.treeLeafPageCount + tree.overflowPages)

/** The number of entries of a database, in constant time. */
export const entryCount = (db: Measurable): number => statsOf(db).entryCount

/** Bytes of the pages that a database uses, in constant time. */
export const usedBytes = (db: Measurable): number => pageBytes(statsOf(db))

/** Bytes of the data file that no database uses, in constant time. Writing them takes no further room on the disk. */
export function unusedBytes({ root, ...databases }: Environment): number {
  const stats = statsOf(root)
  let used = pageBytes(stats.root) + pageBytes(stats.free)
  for (const db of Object.values(databases)) used += usedBytes(db)
  return (stats.lastPageNumber + 1 - META_PAGES) * stats.pageSize - used
}

/** An LMDB file begins with two meta pages, which locate the roots of the trees. */
const META_PAGES = 2
/** The magic number of LMDB, behind the header of the first page. */
const MAGIC = { offset: 24, value: 0xbeefc0de }
/** The file as LMDB allocates it, before it writes the meta pages. */
const EMPTY_FILE = Buffer.alloc(META_PAGES * 4096)

/**
 * Looks whether a file can be a data file, because lmdb-js ends the process without an error when it opens one that is not.
 * Changes nothing.
 * @throws Error if the file exists and is neither unwritten nor an LMDB file
 */
export function assertIsDataFile(file: string): void {
  const head = readHead(file)
  if (isUnwritten(head)) return
  if (head.length < EMPTY_FILE.length || head.readUInt32LE(MAGIC.offset) !== MAGIC.value) {
    throw new Error(
      `${file} is damaged, or was not written by this program; move it away and restore it from a copy if there is one`,
    )
  }
}

/**
 * Whether the disk has room for a new journal, where there is none yet.
 * @throws Error with code ENOSPC
 */
export function assertHasRoom(directory: string): void {
  if (readHead(dataFileOf(directory)).length > 0) return
  const { free } = diskSpace(directory)
  if (free >= NEW_JOURNAL_BYTES) return
  const problem = `its disk has ${free} bytes free, and a new journal needs ${NEW_JOURNAL_BYTES}`
  throw Object.assign(new Error(problem), { code: 'ENOSPC' })
}

/** At least as many bytes as LMDB's table of readers has, in whole pages. */
const LOCK_FILE_BYTES = 3 * 4096

/**
 * Gives the lock file its blocks on the disk. LMDB only sets its length and writes to it through memory, and a page for which
 * the disk has no block ends the process by SIGBUS, without a word in the log.
 * @throws Error of the system, ENOSPC for example
 */
function allocateLockFile(file: string): void {
  const descriptor = openOwnFile(file, constants.O_RDWR | constants.O_CREAT)
  try {
    const { size } = fstatSync(descriptor)
    const missing = LOCK_FILE_BYTES - size
    if (missing > 0) writeFully(descriptor, Buffer.alloc(missing), size)
  } finally {
    closeSync(descriptor)
  }
}

/** A write that meets the end of the disk is short, and only the next one fails. */
function writeFully(descriptor: number, bytes: Buffer, position: number): void {
  let written = 0
  while (written < bytes.length) {
    written += writeSync(descriptor, bytes, written, bytes.length - written, position + written)
  }
}

/** Empties a file of which the power failed after it was allocated and before anything was written to it. */
function emptyUnwrittenFile(file: string): void {
  const head = readHead(file)
  if (head.length > 0 && isUnwritten(head)) truncateSync(file)
}

/** Whether a file that begins so is absent, empty, or allocated and not written. */
const isUnwritten = (head: Buffer): boolean => EMPTY_FILE.subarray(0, head.length).equals(head)

/** Reads one byte more than an empty file has, so that a longer file is not taken for an empty one. */
function readHead(file: string): Buffer {
  try {
    const descriptor = openSync(file, 'r')
    try {
      const head = Buffer.alloc(EMPTY_FILE.length + 1)
      return head.subarray(0, readSync(descriptor, head))
    } finally {
      closeSync(descriptor)
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return Buffer.alloc(0)
    throw error
  }
}

function syncDirectory(directory: string): void {
  const descriptor = openSync(directory, 'r')
  try {
    fsyncSync(descriptor)
  } finally {
    closeSync(descriptor)
  }
}
