/**
 * Locks the data file of a journal in the kernel (F_OFD_SETLK of fcntl(2) on Linux).
 *
 * The lock belongs to the inode of the data file and to the descriptor that holds it. So it ends with the process, it holds whatever
 * names are removed from the directory, and every container that mounts the directory on the same host sees it. LMDB does not
 * lock its data file. docs/adr/0016-lock-on-the-data-file.md says why it takes a package.
 */
import { closeSync, constants, openSync } from 'node:fs'
import { createRequire } from 'node:module'
import { systemClock } from '../core/clock.js'
import { openOwnFile } from '../core/files.js'

/** The part of fs-native-extensions that is used here. It has no types. */
interface FileLocks {
  /** @returns false if another descriptor holds a lock that excludes this one */
  tryLock(descriptor: number, offset: number, length: number, options?: { readonly shared: boolean }): boolean
}

/** undefined where the package has no binary for this platform, for example on Alpine Linux. */
const locks = ((): FileLocks | undefined => {
  try {
    return createRequire(import.meta.url)('fs-native-extensions') as FileLocks
  } catch {
    return undefined
  }
})()

export const canLockDataFiles = locks !== undefined

/** A length of 0 stands for the whole file, whatever its size becomes. */
const WHOLE_FILE = { offset: 0, length: 0 }
/** A process that only looks who holds the file keeps others out for a moment. */
const ATTEMPTS = 5
const RETRY_INTERVAL_MS = 50

/** A lock that is held until it is released, or until the process ends. */
export class DataFileLock {
  /** The descriptor of the locked file. */
  readonly descriptor: number
  #isHeld = true

  constructor(descriptor: number) {
    this.descriptor = descriptor
  }

  /** Closes the descriptor, once: later its number may be that of another file. */
  release(): void {
    if (this.#isHeld) closeSync(this.descriptor)
    this.#isHeld = false
  }
}

/**
 * Creates the data file if it is missing, and locks it.
 * @returns undefined if another process holds it
 * @throws FileRefusedError, or an error of the system
 */
export async function lockDataFile(path: string): Promise<DataFileLock | undefined> {
  const descriptor = openOwnFile(path, constants.O_RDWR | constants.O_CREAT)
  for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
    if (tryLock(descriptor)) return new DataFileLock(descriptor)
    await systemClock.sleep(RETRY_INTERVAL_MS)
  }
  closeSync(descriptor)
  return undefined
}

/** Whether another process holds the data file. One that is missing or can't be read counts as free. */
export function isDataFileLocked(path: string): boolean {
  let descriptor: number
  try {
    descriptor = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)
  } catch {
    return false
  }
  try {
    return !tryLock(descriptor, { shared: true })
  } finally {
    closeSync(descriptor)
  }
}

/** Also true where the file system knows no locks: the lock of the directory remains. */
function tryLock(descriptor: number, options?: { readonly shared: boolean }): boolean {
  try {
    return locks?.tryLock(descriptor, WHOLE_FILE.offset, WHOLE_FILE.length, options) ?? true
  } catch {
    return true
  }
}
