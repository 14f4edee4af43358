/**
 * Room on the disk for what we have already asked for.
 *
 * A page that a destructive queue has handed out must find a place even when something else fills the disk meanwhile.
 * So a file of real blocks lies beside the journal; the first failed write deletes it. From then on the journal is in
 * *emergency*: callbacks are refused (their senders still have them), while pages in hand and releases go through.
 */
import { closeSync, fstatSync, openSync, rmSync, statfsSync, statSync, writeSync } from 'node:fs'
import { join } from 'node:path'

const CHUNK = Buffer.alloc(1024 * 1024)

export class Reserve {
  readonly bytes: number
  readonly #directory: string
  readonly #path: string
  #held = false

  constructor(directory: string, bytes: number) {
    this.#directory = directory
    this.#path = join(directory, 'reserve.bin')
    // On a small disk a small reserve: an eighth of it at most.
    this.bytes = Math.floor(Math.min(bytes, diskOf(directory).total / 8))
  }

  /** Allocates the file where the disk has twice its size to spare, what it has of an earlier run included. */
  restore(): boolean {
    if (this.#held) return true
    const there = statSync(this.#path, { throwIfNoEntry: false })?.size ?? 0
    if (there < this.bytes && diskOf(this.#directory).free + there < 2 * this.bytes) return false
    try {
      this.#allocate()
      this.#held = true
    } catch {
      rmSync(this.#path, { force: true })
    }
    return this.#held
  }

  /** Gives the room up, so that the write that just failed can be tried again. */
  free(): void {
    rmSync(this.#path, { force: true })
    this.#held = false
  }

  #allocate(): void {
    const file = openSync(this.#path, 'a')
    try {
      // Zeros, not a sparse file: only written blocks are ours.
      for (let size = fstatSync(file).size; size < this.bytes;) {
        size += writeSync(file, CHUNK, 0, Math.min(CHUNK.length, this.bytes - size))
      }
    } finally {
      closeSync(file)
    }
  }
}

/** Bytes of the disk that holds `directory`: all, and what an unprivileged process can still write. */
export function diskOf(directory: string): { readonly total: number; readonly free: number } {
  const { blocks, bavail, bsize } = statfsSync(directory)
  return { total: blocks * bsize, free: bavail * bsize }
}
