/** A disk that can be filled in an instant: a tmpfs. */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmdirSync, rmSync, statfsSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export class SmallDisk {
  readonly path: string

  /** @throws Error when this process may not mount file systems */
  constructor(bytes: number) {
    this.path = mkdtempSync(join(tmpdir(), 'small-disk-'))
    try {
      execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${bytes}`, 'tmpfs', this.path], { stdio: 'ignore' })
    } catch (error) {
      rmdirSync(this.path)
      throw error
    }
  }

  get freeBytes(): number {
    const { bavail, bsize } = statfsSync(this.path)
    return bavail * bsize
  }

  /** Writes a file that leaves only `leave` bytes of the free space. */
  fill(leave = 0): void {
    writeFileSync(join(this.path, 'filler'), Buffer.alloc(Math.max(0, this.freeBytes - leave)))
  }

  /** Deletes the file that `fill` wrote. */
  makeRoom(): void {
    rmSync(join(this.path, 'filler'), { force: true })
  }

  unmount(): void {
    execFileSync('umount', [this.path])
    rmdirSync(this.path)
  }
}

/** Why no small disk can be mounted on this machine; null if it can. */
export const mountError = ((): string | null => {
  try {
    new SmallDisk(1024 * 1024).unmount()
    return null
  } catch {
    return 'this process may not mount a tmpfs'
  }
})()
