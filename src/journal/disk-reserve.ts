/**
 * A file of real blocks beside the journal that keeps room for an answer that was already requested.
 *
 * A destructive queue hands out each page once, so the page must find room even if something else fills the disk
 * meanwhile. The first failed write deletes the file. Until it is allocated again (see capacity.ts), callbacks are
 * refused, because their senders still have them, while pages under way and releases use the room that was freed.
 */
import { closeSync, constants, fstatSync, lstatSync, rmSync, statfsSync, writeSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { openOwnFile } from '../core/files.js'

const MAX_SHARE_OF_DISK = 1 / 8
const ZEROS = Buffer.alloc(1024 * 1024)

export class DiskReserve {
  readonly bytes: number
  readonly #directory: string
  readonly #file: string
  #isAllocated = false

  /** @param bytes is reduced to an eighth of the disk where that is less */
  constructor(directory: string, bytes: number) {
    this.#directory = directory
    this.#file = join(directory, 'reserve.bin')
    this.bytes = Math.floor(Math.min(bytes, diskSpace(directory).total * MAX_SHARE_OF_DISK))
  }

  /**
   * Allocates the file if the disk has twice its size free. What is left of the file from an earlier run counts as free.
   * @returns whether the reserve is allocated now
   */
  restore(): boolean {
    if (this.#isAllocated || this.bytes === 0) return true
    const allocated = lstatSync(this.#file, { throwIfNoEntry: false })?.size ?? 0
    if (allocated < this.bytes && diskSpace(this.#directory).free + allocated < 2 * this.bytes) return false
    try {
      this.#allocate()
      this.#isAllocated = true
    } catch {
      rmSync(this.#file, { force: true })
    }
    return this.#isAllocated
  }

  /** Deletes the file, so that the write that has just failed can be tried again. */
  free(): void {
    rmSync(this.#file, { force: true })
    this.#isAllocated = false
  }

  #allocate(): void {
    const { O_APPEND, O_CREAT, O_WRONLY } = constants
    const descriptor = openOwnFile(this.#file, O_WRONLY | O_APPEND | O_CREAT)
    try {
      // A sparse file would take no blocks and reserve nothing, so every byte is written.
      let size = fstatSync(descriptor).size
      while (size < this.bytes) {
        size += writeSync(descriptor, ZEROS, 0, Math.min(ZEROS.length, this.bytes - size))
      }
    } finally {
      closeSync(descriptor)
    }
  }
}

/**
 * Bytes of the disk that holds `directory`: its size, and what an unprivileged process can still write. If the directory was
 * removed, its parent tells: entries are still released from the data file that is open.
 */
export function diskSpace(directory: string): { readonly total: number; readonly free: number } {
  try {
    const { blocks, bavail, bsize } = statfsSync(directory)
    return { total: blocks * bsize, free: bavail * bsize }
  } catch (error) {
    const parent = dirname(directory)
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT' || parent === directory) throw error
    return diskSpace(parent)
  }
}
