/**
 * The form in which LMDB holds an entry.
 *
 * An entry that was just received is stored as it is. One with an origin is stored under a provider that no source has. Builds
 * that don't know origins would give its items new ids and publish them a second time; under this provider they make it a
 * dead letter `unknown-source` instead, which loses nothing and doubles nothing.
 */
import type { NewEntry } from './journal.js'

export interface StoredEntry extends NewEntry {
  /** When an entry with an origin was handed in, in milliseconds since the epoch; absent for all others. */
  readonly handedInAt?: number
}

const PROVIDER_PREFIX = 'handed-in-again:'

/** @param now milliseconds since the epoch */
export const toStoredEntry = (entry: NewEntry, now: number): StoredEntry =>
  entry.origin === undefined ? entry : { ...entry, provider: `${PROVIDER_PREFIX}${entry.provider}`, handedInAt: now }

export const fromStoredEntry = (stored: StoredEntry): NewEntry => {
  if (stored.origin === undefined) return stored
  const entry: { handedInAt?: number } & NewEntry = {
    ...stored,
    provider: stored.provider.slice(PROVIDER_PREFIX.length),
  }
  delete entry.handedInAt
  return entry
}
