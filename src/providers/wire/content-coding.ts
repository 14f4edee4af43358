/**
 * Decodes content codings (RFC 9110, section 8.4). Of a compressed body that is cut, it returns what can be inflated.
 */
import { isUtf8 } from 'node:buffer'
import { brotliDecompressSync, constants, gunzipSync, inflateRawSync, inflateSync } from 'node:zlib'

/** The size to which a body may inflate, which is the default of `maxAnswer`. A body that exceeds it is not decoded. */
const MAX_INFLATED_BYTES = 64 * 1024 * 1024

/** `problem`: why the bytes can't be decoded. */
export type DecodedContent = { readonly bytes: Uint8Array } | { readonly problem: string }

/** Values that some servers send in `content-encoding` for a body that is not encoded. */
const NO_CODING = new Set(['', 'identity', 'none', 'utf-8', 'utf8', 'binary', '8bit', '7bit'])

/** Whether the first two bytes are those of a zlib stream: method 8, and together divisible by 31 (RFC 1950). */
const isZlib = (b: Uint8Array): boolean => ((b[0] ?? 0) & 15) === 8 && ((b[0] ?? 0) * 256 + (b[1] ?? 0)) % 31 === 0
export const isGzip = (b: Uint8Array): boolean => b[0] === 0x1f && b[1] === 0x8b

const MIN_PLAIN_BYTES = 16

/**
 * Whether a body that should be compressed is plain text, because a proxy decoded it and left the header. Raw deflate
 * and brotli may inflate any bytes to something, so this is decided before: compressed bytes of this length are not
 * UTF-8.
 */
const isPlainText = (bytes: Uint8Array): boolean => bytes.length >= MIN_PLAIN_BYTES && isUtf8(bytes)

/** @returns undefined for an unknown coding */
const decompress = (coding: string, bytes: Uint8Array, maxOutputLength: number): Uint8Array | undefined => {
  const options = { finishFlush: constants.Z_SYNC_FLUSH, maxOutputLength }
  switch (coding) {
    case 'gzip':
    case 'x-gzip':
      return isGzip(bytes) ? gunzipSync(bytes, options) : bytes
    case 'deflate':
      if (isPlainText(bytes)) return bytes
      return isZlib(bytes) ? inflateSync(bytes, options) : inflateRawSync(bytes, options)
    case 'br':
      if (isPlainText(bytes)) return bytes
      return brotliDecompressSync(bytes, { finishFlush: constants.BROTLI_OPERATION_FLUSH, maxOutputLength })
    default:
      return undefined
  }
}

export const decodeContent = (
  bytes: Uint8Array,
  contentEncoding: string | undefined,
  maxInflatedBytes = MAX_INFLATED_BYTES,
): DecodedContent => {
  if (contentEncoding === undefined || bytes.length === 0) return { bytes }
  let result = bytes
  // The header lists the codings in the order in which they were applied.
  for (const name of contentEncoding.toLowerCase().split(',').reverse()) {
    const coding = name.trim()
    if (NO_CODING.has(coding)) continue
    try {
      const decompressed = decompress(coding, result, maxInflatedBytes)
      if (decompressed === undefined) return { problem: `the connector does not know the content coding "${coding}"` }
      result = decompressed
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE') {
        return { problem: `the body inflates to more than ${maxInflatedBytes} bytes` }
      }
      // The bytes are not compressed in spite of the header. They are read as they are.
      return { bytes }
    }
  }
  return { bytes: result }
}
