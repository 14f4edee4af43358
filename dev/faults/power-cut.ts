/**
 * The state of a disk after the power has failed, made from the write log of `preload/disk.c`. Everything that was synced
 * is there. Of everything that was written since, each sector is there or not.
 */
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import type { Random } from '../simulators/random.js'

const SECTOR_BYTES = 512
const LOG_HEADER_BYTES = 24

interface Write {
  readonly offset: number
  readonly bytes: Buffer
}

/**
 * Puts the file into a state that a power cut could have left, and deletes the write log.
 * @param before the content of the file when the log began; undefined if it did not exist
 * @returns the number of writes that were not synced
 */
export function cutPower(file: string, before: Buffer | undefined, writeLog: string, random: Random): number {
  const { synced, unsynced } = readWriteLog(writeLog)
  let content: Buffer = before ?? Buffer.alloc(0)
  const put = (offset: number, bytes: Buffer): void => {
    const missing = offset + bytes.length - content.length
    if (missing > 0) content = Buffer.concat([content, Buffer.alloc(missing)])
    bytes.copy(content, offset)
  }
  for (const { offset, bytes } of synced) put(offset, bytes)
  // A disk may lose everything, nothing, or any sector of what it had not synced; a run picks one of these.
  const chance = random.pick([0, 0.5, 0.9, 1])
  for (const { offset, bytes } of unsynced) {
    for (let start = 0; start < bytes.length; start += SECTOR_BYTES) {
      if (random.chance(chance)) put(offset + start, bytes.subarray(start, start + SECTOR_BYTES))
    }
  }
  if (existsSync(file) || content.length > 0) writeFileSync(file, content)
  rmSync(writeLog, { force: true })
  return unsynced.length
}

function readWriteLog(writeLog: string): { synced: Write[]; unsynced: Write[] } {
  const synced: Write[] = []
  const unsynced: Write[] = []
  const log = existsSync(writeLog) ? readFileSync(writeLog) : Buffer.alloc(0)
  let position = 0
  while (position + LOG_HEADER_BYTES <= log.length) {
    const kind = String.fromCharCode(log[position]!)
    const offset = Number(log.readBigUInt64LE(position + 8))
    const length = Number(log.readBigUInt64LE(position + 16))
    position += LOG_HEADER_BYTES
    const bytes = log.subarray(position, position + length)
    position += length
    if (kind === 'w') unsynced.push({ offset, bytes })
    if (kind === 's') synced.push(...unsynced.splice(0))
    // The last write was made with O_DSYNC, which syncs this write and no other.
    if (kind === 'd') synced.push(...unsynced.splice(-1))
  }
  return { synced, unsynced }
}
