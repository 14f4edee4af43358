/** Bodies that follow from the name of their entry, in size and in every byte. */
import { createHash } from 'node:crypto'

const SIZES = [0, 1, 2, 100, 700, 1900, 2048, 2100, 4096, 20_000, 100_000]

/** One of several sizes, and 5 MiB for one name in about 330. */
export function sizeOf(name: string): number {
  const digest = createHash('sha256').update(name).digest()
  return digest.readUInt16LE(0) < 200 ? 5 * 1024 * 1024 : SIZES[digest.readUInt16LE(2) % SIZES.length]!
}

export function bodyOf(name: string, size: number): Buffer {
  const body = Buffer.alloc(size)
  const digest = createHash('sha256').update(`body of ${name}`).digest()
  for (let offset = 0; offset < size; offset += digest.length) digest.copy(body, offset)
  return body
}
