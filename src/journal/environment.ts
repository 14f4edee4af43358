/**
 * The LMDB environment of a journal and everything in it.
 *
 * `entries`: sequence number -> entry. `meta`: see below. `nonces` and `ids` have a second database each that says what
 * to forget first. `watch`: [source, message id] -> [watched since, last asked].
 */
import { join } from 'node:path'
import { open } from 'lmdb'
import type { NewEntry } from './journal.js'

/** The journal's id; the last number released; the first number that no position has been read for. */
export type Meta = 'id' | 'released' | 'unverifiedFrom'

export type Environment = ReturnType<typeof openEnvironment>

export function openEnvironment(directory: string) {
  const root = open({
    path: join(directory, 'lmdb'),
    maxDbs: 8,
    // LMDB's plain commit is what survives a power cut by its own documented rules, and it was not slower here.
    overlappingSync: false,
    // On, each group of writes begins with a promise that nobody gets: when its commit fails it ends the process.
    eventTurnBatching: false,
  })
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
