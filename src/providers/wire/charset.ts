/**
 * Reads text from bytes without losing any: a byte that is not valid in the character set still becomes a character.
 */
import { isUtf8 } from 'node:buffer'
import { TextDecoder } from 'node:util'

export type ReadText = (bytes: Uint8Array) => string

/** The characters of windows-1252 at 0x80 to 0x9f. The five bytes without a character become control characters. */
const WINDOWS_1252_AT_80 =
  '\u20ac\u0081\u201a\u0192\u201e\u2026\u2020\u2021\u02c6\u2030\u0160\u2039\u0152\u008d\u017d\u008f' +
  '\u0090\u2018\u2019\u201c\u201d\u2022\u2013\u2014\u02dc\u2122\u0161\u203a\u0153\u009d\u017e\u0178'

const toBuffer = (bytes: Uint8Array): Buffer => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)

/** Reads one character from each byte, for text that is taken apart before its character set matters. */
export const readLatin1: ReadText = (bytes) => toBuffer(bytes).toString('latin1')

/**
 * Reads windows-1252. It does not use `TextDecoder`, because runtimes disagree about 0x80 to 0x9f, where the apostrophe
 * that many texts contain lies.
 */
export const readWindows1252: ReadText = (bytes) =>
  readLatin1(bytes).replace(/[\x80-\x9f]/g, (c) => WINDOWS_1252_AT_80.charAt(c.charCodeAt(0) - 0x80))

/** Reads UTF-8, or windows-1252 (which contains Latin-1) if the bytes are not valid UTF-8. */
export const readUtf8: ReadText = (bytes) => (isUtf8(bytes) ? toBuffer(bytes).toString('utf8') : readWindows1252(bytes))

/** The character sets of one byte a character in which every byte below 0x80 is ASCII. */
const SINGLE_BYTE_CHARSET = /^(windows-\d+|iso-8859-\d+|koi8-[ru]|ibm866|macintosh|x-mac-cyrillic)$/

/**
 * Reads a character set of one byte a character. `TextDecoder` returns U+FFFD for every byte that has no character, and two
 * ids that differ in such a byte would become the same id. They become U+F780 to U+F7FF instead, as in the encoding
 * x-user-defined of the WHATWG.
 */
const decodeSingleBytes = (decoder: TextDecoder, bytes: Uint8Array): string =>
  decoder.decode(bytes).replaceAll('\ufffd', (_, at: number) => String.fromCharCode(0xf700 + (bytes[at] ?? 0)))

/**
 * @param contentType the value of the header; without a character set, or with an unknown one, the text is read as
 * UTF-8
 * @returns undefined for a character set in which a byte below 0x80 may be part of another character: such text can't
 * be taken apart before it is decoded
 */
export const textReader = (contentType: string | undefined): ReadText | undefined => {
  const charset = contentType === undefined ? undefined : /;\s*charset\s*=\s*"?([^\s";]+)/i.exec(contentType)?.[1]
  if (charset === undefined) return readUtf8
  let encoding: string
  let decoder: TextDecoder
  try {
    decoder = new TextDecoder(charset)
    encoding = decoder.encoding
  } catch {
    return readUtf8
  }
  if (encoding === 'utf-8') return readUtf8
  if (encoding === 'windows-1252') return readWindows1252
  return SINGLE_BYTE_CHARSET.test(encoding) ? (bytes) => decodeSingleBytes(decoder, bytes) : undefined
}

/** @returns the bytes behind a byte order mark of UTF-8; undefined if there is none */
export const withoutByteOrderMark = (bytes: Uint8Array): Uint8Array | undefined =>
  bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? bytes.subarray(3) : undefined
