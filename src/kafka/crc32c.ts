/**
 * CRC-32C (Castagnoli), the checksum of a record batch.
 *
 * The package `@node-rs/crc32` computes it with the instructions of the processor. It has prebuilt binaries for Linux (glibc and
 * musl), macOS and Windows. Where none fits, a table in JavaScript computes the same value, about twenty times slower.
 */
import { createRequire } from 'node:module'

/** Returns the checksum as an unsigned 32-bit number. */
export type Crc32c = (data: Buffer) => number

/** The polynomial 0x1EDC6F41 with its bits reversed. */
const POLYNOMIAL = 0x82f63b78

const TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let remainder = byte
  for (let bit = 0; bit < 8; bit++) remainder = remainder & 1 ? (remainder >>> 1) ^ POLYNOMIAL : remainder >>> 1
  return remainder
})

export const crc32cInJavaScript: Crc32c = (data) => {
  let crc = 0xffffffff
  for (let index = 0; index < data.length; index++) crc = TABLE[(crc ^ data[index]!) & 0xff]! ^ (crc >>> 8)
  return (crc ^ 0xffffffff) >>> 0
}

function loadNative(): Crc32c | undefined {
  try {
    return (createRequire(import.meta.url)('@node-rs/crc32') as { crc32c: Crc32c }).crc32c
  } catch {
    return undefined
  }
}

export const crc32c: Crc32c = loadNative() ?? crc32cInJavaScript
