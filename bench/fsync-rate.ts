/** How often per second the disk of the temporary directory makes a page durable, one after the other. */
import { closeSync, fdatasyncSync, openSync, rmSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { workDirectory } from '../dev/work-directory.js'

const PAGE_BYTES = 4096
/** The file is overwritten from the beginning after so many pages, as LMDB overwrites free pages. */
const PAGES = 1_000

export async function measureFsyncRate(milliseconds: number): Promise<number> {
  const directory = await workDirectory('trial')
  const descriptor = openSync(join(directory, 'fsync'), 'w')
  const page = Buffer.alloc(PAGE_BYTES, 1)
  const startedAt = performance.now()
  let count = 0
  while (performance.now() - startedAt < milliseconds) {
    writeSync(descriptor, page, 0, PAGE_BYTES, (count % PAGES) * PAGE_BYTES)
    fdatasyncSync(descriptor)
    count++
  }
  const seconds = (performance.now() - startedAt) / 1_000
  closeSync(descriptor)
  rmSync(directory, { recursive: true, force: true })
  return count / seconds
}
