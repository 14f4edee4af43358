/**
 * What a disk holds after the power has failed: made from the notes of `preload/disk.c`.
 *
 * All that was synced is there. Of what was written since, any part may be: each sector of it has come, or not.
 */
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import type { Random } from '../simulators/random.js'

const SECTOR = 512
const HEAD = 24

interface Write {
  readonly at: number
  readonly bytes: Buffer
}

/**
 * Puts the file into the state that a power cut would have left.
 * @param before its content when the notes began; undefined: it was not there
 * @returns how many writes were not synced
 */
export function cutPower(file: string, before: Buffer | undefined, notes: string, random: Random): number {
  const { synced, pending } = read(notes)
  let content: Buffer = before ?? Buffer.alloc(0)
  const put = (at: number, bytes: Buffer): void => {
    if (content.length < at + bytes.length)
      content = Buffer.concat([content, Buffer.alloc(at + bytes.length - content.length)])
    bytes.copy(content, at)
  }
  for (const { at, bytes } of synced) put(at, bytes)
  // Some disks keep order and lose the end, others keep anything: by run all, nothing, or by the sector.
  const chance = random.pick([0, 0.5, 0.9, 1])
  for (const { at, bytes } of pending) {
    for (let from = 0; from < bytes.length; from += SECTOR) {
      if (random.chance(chance)) put(at + from, bytes.subarray(from, from + SECTOR))
    }
  }
  if (existsSync(file) || content.length > 0) writeFileSync(file, content)
  rmSync(notes, { force: true })
  return pending.length
}

function read(notes: string): { synced: Write[]; pending: Write[] } {
  const synced: Write[] = []
  const pending: Write[] = []
  const bytes = existsSync(notes) ? readFileSync(notes) : Buffer.alloc(0)
  for (let from = 0; from + HEAD <= bytes.length;) {
    const kind = String.fromCharCode(bytes[from]!)
    const at = Number(bytes.readBigUInt64LE(from + 8))
    const length = Number(bytes.readBigUInt64LE(from + 16))
    const content = bytes.subarray(from + HEAD, from + HEAD + length)
    from += HEAD + length
    if (kind === 'w') pending.push({ at, bytes: content })
    if (kind === 's') synced.push(...pending.splice(0))
    // By itself: written with O_DSYNC, and the only one of which that is known.
    if (kind === 'd') synced.push(...pending.splice(-1))
  }
  return { synced, pending }
}
