/**
 * The LMDB environment of a journal and everything in it.
 *
 * `entries`: sequence number -> entry. `meta`: see below. `nonces` and `ids` have a second database each that says what
 * to forget first. `watch`: [source, message id] -> [watched since, last asked].
 */
import { closeSync, fsyncSync, openSync, readSync, truncateSync } from 'node:fs'
import { join } from 'node:path'
import { open } from 'lmdb'
import type { NewEntry } from './journal.js'

/**
 * The journal's id; the last number released; the first number that no position has been read for; what tells `recover`
 * that all before it is written; by log and source, when the reconciler's last complete walk began;
 * by source, the time up to which the topics have been followed.
 */
export type Meta = 'id' | 'released' | 'unverifiedFrom' | 'barrier' | `walked ${string}` | `followed ${string}`

export type Environment = ReturnType<typeof openEnvironment>

/**
 * Not in lmdb-js's types. By default the thread that writes is let into a batch of 1,000 writes before its end is there,
 * and may miss it where the instructions go on in another buffer.
 */
const WHOLE_BATCHES = { batchStartThreshold: Number.MAX_SAFE_INTEGER }

export function openEnvironment(directory: string) {
  const path = join(directory, 'lmdb')
  inspect(join(path, 'data.mdb'))
  const root = open({
    path,
    maxDbs: 8,
    // LMDB's plain commit is what survives a power cut by its own documented rules, and it was not slower here.
    overlappingSync: false,
    // On, each group of writes begins with a promise that nobody gets: when its commit fails it ends the process.
    eventTurnBatching: false,
    ...WHOLE_BATCHES,
  })
  // A file survives a power cut only together with the directories that name it.
  for (const names of [path, directory]) syncDirectory(names)
  const encoding = { encoding: 'msgpack' } as const
  return {
    root,
    entries: root.openDB<NewEntry, number>('entries', encoding),
    meta: root.openDB<string | number, Meta>('meta', encoding),
    /** Nonce -> expiry, milliseconds since the epoch. */
    nonces: root.openDB<number, string>('nonces', encoding),
    noncesByExpiry: root.openDB<null, [number, string]>('nonces-by-expiry', encoding),
    /** Event id -> [sequence, place] of its first arrival. */
    ids: root.openDB<[number, number], string>('ids', encoding),
    /** [receivedAt, event id] */
    idsByAge: root.openDB<null, [number, string]>('ids-by-age', encoding),
    watch: root.openDB<[number, number], [string, string]>('watch', encoding),
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

/** How a file begins that LMDB has made, behind the header of its first page. */
const MAGIC = { at: 24, value: 0xbeefc0de }
/** Two pages that say where everything begins, and nothing yet. */
const EMPTY = Buffer.alloc(2 * 4096)

/** Of a file that is no environment lmdb-js dies without a word. */
function inspect(file: string): void {
  const head = headOf(file)
  if (head.length === 0) return
  if (EMPTY.subarray(0, head.length).equals(head)) {
    // Made, and the power failed before anything was written to it.
    truncateSync(file)
    return
  }
  if (head.length < EMPTY.length || head.readUInt32LE(MAGIC.at) !== MAGIC.value) {
    throw new Error(`${file} is damaged, or not ours; move it away and restore it from a copy if there is one`)
  }
}

/** One byte more than the empty file has, where there is more. */
function headOf(file: string): Buffer {
  try {
    const descriptor = openSync(file, 'r')
    try {
      const head = Buffer.alloc(EMPTY.length + 1)
      return head.subarray(0, readSync(descriptor, head))
    } finally {
      closeSync(descriptor)
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return Buffer.alloc(0)
    throw error
  }
}
