/** Bytes to text. Nothing is lost: a byte that the character set does not know still comes out as a character. */
import { isUtf8 } from 'node:buffer'
import { TextDecoder } from 'node:util'

export type ReadText = (bytes: Uint8Array) => string

/** Characters of windows-1252 at 0x80 to 0x9f; the five it leaves open stay the control characters they are. */
const WINDOWS_1252 =
  '\u20ac\u0081\u201a\u0192\u201e\u2026\u2020\u2021\u02c6\u2030\u0160\u2039\u0152\u008d\u017d\u008f' +
  '\u0090\u2018\u2019\u201c\u201d\u2022\u2013\u2014\u02dc\u2122\u0161\u203a\u0153\u009d\u017e\u0178'

const buffer = (bytes: Uint8Array): Buffer => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)

/** One character a byte, for text that is taken apart before it is decoded. */
export const latin1 = (bytes: Uint8Array): string => buffer(bytes).toString('latin1')

/** Written out because runtimes disagree on 0x80 to 0x9f, and an apostrophe of an SMS lies there. */
export const windows1252: ReadText = (bytes) =>
  latin1(bytes).replace(/[\x80-\x9f]/g, (c) => WINDOWS_1252.charAt(c.charCodeAt(0) - 0x80))

/** UTF-8, and windows-1252 (of which Latin-1 is a part) where the bytes are no UTF-8. */
export const utf8: ReadText = (bytes) => (isUtf8(bytes) ? buffer(bytes).toString('utf8') : windows1252(bytes))

/** Single-byte sets in which every byte below 0x80 is ASCII: the only ones that may be taken apart before decoding. */
const SINGLE_BYTE = /^(windows-\d+|iso-8859-\d+|koi8-[ru]|ibm866|macintosh|x-mac-cyrillic)$/

/** @returns how text of this content type is read; undefined for a character set that can't be read safely */
export const reader = (contentType: string | undefined): ReadText | undefined => {
  const charset = contentType === undefined ? undefined : /;\s*charset\s*=\s*"?([^\s";]+)/i.exec(contentType)?.[1]
  if (charset === undefined) return utf8
  let encoding: string
  let decoder: TextDecoder
  try {
    decoder = new TextDecoder(charset)
    encoding = decoder.encoding
  } catch {
    // A name that nobody knows says nothing.
    return utf8
  }
  if (encoding === 'utf-8') return utf8
  if (encoding === 'windows-1252') return windows1252
  return SINGLE_BYTE.test(encoding) ? (bytes) => decoder.decode(bytes) : undefined
}

export const BOM_LENGTH = 3
export const hasBom = (bytes: Uint8Array): boolean => bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf
