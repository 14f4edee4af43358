/** Content codings undone, as far as the bytes go: a compressed answer that was cut gives what inflates of it. */
import { isUtf8 } from 'node:buffer'
import { brotliDecompressSync, constants, gunzipSync, inflateRawSync, inflateSync } from 'node:zlib'

/** What a compressed body may inflate to, the largest answer by default; above, it is a bomb or a defect. */
export const MAX_INFLATED = 64 * 1024 * 1024

/** `problem`: why nothing could be made of the bytes. */
export type Decoded = { readonly bytes: Uint8Array } | { readonly problem: string }

/** Names that stand in `content-encoding` without anything having been encoded. */
const NO_CODING = new Set(['', 'identity', 'none', 'utf-8', 'utf8', 'binary', '8bit', '7bit'])

/** The first two bytes of a zlib stream: method 8, and divisible by 31 (RFC 1950). */
const isZlib = (b: Uint8Array): boolean => ((b[0] ?? 0) & 15) === 8 && ((b[0] ?? 0) * 256 + (b[1] ?? 0)) % 31 === 0
export const isGzip = (b: Uint8Array): boolean => b[0] === 0x1f && b[1] === 0x8b

/**
 * Whether bytes that should be compressed are plain text: something on the way undid the coding and left its name.
 * Compressed bytes of any length are no UTF-8; without this, raw deflate and brotli may find sense in anything.
 */
const isPlain = (bytes: Uint8Array): boolean => bytes.length >= 16 && isUtf8(bytes)

const undo = (coding: string, bytes: Uint8Array, maxOutputLength: number): Uint8Array | undefined => {
  const zlib = { finishFlush: constants.Z_SYNC_FLUSH, maxOutputLength }
  switch (coding) {
    case 'gzip':
    case 'x-gzip':
      return isGzip(bytes) ? gunzipSync(bytes, zlib) : bytes
    case 'deflate':
      if (isPlain(bytes)) return bytes
      return isZlib(bytes) ? inflateSync(bytes, zlib) : inflateRawSync(bytes, zlib)
    case 'br':
      if (isPlain(bytes)) return bytes
      return brotliDecompressSync(bytes, { finishFlush: constants.BROTLI_OPERATION_FLUSH, maxOutputLength })
    default:
      return undefined
  }
}

export const decodeContent = (
  bytes: Uint8Array,
  contentEncoding: string | undefined,
  limit = MAX_INFLATED,
): Decoded => {
  if (contentEncoding === undefined || bytes.length === 0) return { bytes }
  let result = bytes
  for (const name of contentEncoding.toLowerCase().split(',').reverse()) {
    const coding = name.trim()
    if (NO_CODING.has(coding)) continue
    try {
      const undone = undo(coding, result, limit)
      if (undone === undefined) return { problem: `the content coding "${coding}" is not known here` }
      result = undone
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE') {
        return { problem: `the body inflates to more than ${limit} bytes` }
      }
      // It says that it is compressed and is not: read as it is, and judged by what it says.
      return { bytes }
    }
  }
  return { bytes: result }
}
