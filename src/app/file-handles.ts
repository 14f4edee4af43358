/** How many connections the process can hold: each takes a file handle, and so do the journal, the brokers and the log. */
import { readFileSync } from 'node:fs'

/** File handles that are kept for everything but callbacks: the admin port, the journal, brokers, registry and providers. */
const RESERVED_HANDLES = 512
/** Where few files may be open, callbacks get this part of them. */
const MIN_CALLBACKS_SHARE = 1 / 2

/** Returns how many files this process may have open, or undefined where the system does not tell it. */
export function readOpenFilesLimit(file = '/proc/self/limits'): number | undefined {
  try {
    const limit = /^Max open files +(?<soft>\d+)/m.exec(readFileSync(file, 'utf8'))?.groups?.['soft']
    return limit === undefined ? undefined : Number(limit)
  } catch {
    return undefined
  }
}

/**
 * Returns `callbacks.maxConnections`, or less if the process may not open so many files.
 * @param openFilesLimit undefined if it is not known
 */
export function connectionsWithin(maxConnections: number, openFilesLimit: number | undefined): number {
  if (openFilesLimit === undefined) return maxConnections
  const available = Math.max(openFilesLimit - RESERVED_HANDLES, Math.floor(openFilesLimit * MIN_CALLBACKS_SHARE), 1)
  return Math.min(maxConnections, available)
}
