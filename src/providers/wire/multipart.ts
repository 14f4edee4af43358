/**
 * Reads the fields of a form body of the type `multipart/form-data` (RFC 7578, with the syntax of RFC 2046, section 5.1).
 *
 * docs/adr/0010 says why this is no library.
 *
 * Parts become fields in the order sent, whatever their type: a file is a field as well. Line ends may be LF alone. What is
 * in no named part (a part without a name, bytes before the first or behind the last part) becomes a field whose name is
 * empty, so that `raw` has it.
 */
import type { Received } from '../../core/received.js'
import type { DeadLetterItem } from '../provider.js'
import { trimWhiteSpace, type DecodedBody } from './body.js'
import { readLatin1, textReader, type ReadText } from './charset.js'
import { deadLetter } from './dead-letter.js'
import type { Field } from './fields.js'

/** RFC 2046 allows 70. The limit keeps the search linear for a body that consists of almost-delimiters. */
const MAX_BOUNDARY_CHARACTERS = 128
/** The length to which a text of the sender is cut in the detail of a dead letter. */
const MAX_QUOTED_CHARACTERS = 80
/** Far more than a form has, and far more than the headers of a part have. Compressed, a megabyte could hold more than memory. */
const MAX_PARTS = 65_536
const MAX_PART_HEADER_BYTES = 64 * 1024
const CR = 0x0d
const LF = 0x0a
const SPACE = 0x20
const TAB = 0x09
const DASH = 0x2d

/**
 * @returns undefined if the body is not a multipart form; a dead letter with the whole body if it is one that can't be read
 * without doubt
 */
export const readMultipart = (
  { facts, body }: Received,
  { bytes, readText }: DecodedBody,
): Field[] | DeadLetterItem | undefined => {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const delimiter = findDelimiterText(facts['content-type'], buffer)
  if (delimiter === undefined) return undefined
  const { parts, outside, defect } = splitParts(buffer, delimiter)
  switch (defect) {
    case 'cut':
      return deadLetter('cut-page', 'the multipart form has no closing delimiter, so it breaks off', body)
    case 'trailing':
      return deadLetter('trailing-bytes', 'another multipart form follows the end of the first one', body)
    case 'too-complex':
      return deadLetter(
        'too-complex',
        `the multipart form has more than ${MAX_PARTS} parts, or more than ${MAX_PART_HEADER_BYTES} bytes of headers in one`,
        body,
      )
    case undefined:
      return readFields(parts, outside, readText, body)
  }
}

const readFields = (
  parts: readonly Part[],
  outside: readonly Uint8Array[],
  readText: ReadText,
  body: Uint8Array,
): Field[] | DeadLetterItem => {
  const defaultReader = readerOfForm(parts) ?? readText
  const fields: Field[] = []
  for (const part of parts) {
    const coding = part.headers.get('content-transfer-encoding') ?? 'binary'
    const readContent = readerOfPart(part) ?? defaultReader
    if (!/^(7bit|8bit|binary)$/i.test(coding) || readContent === 'unknown') {
      const found = [...part.headers].map(([name, value]) => `${name}: ${value}`).join(', ')
      return deadLetter('undecodable', `the connector can't read the text of the part with "${found}"`, body)
    }
    const name = dispositionName(part.headers.get('content-disposition'), readText)
    if (name === undefined) fields.push(fieldOf('', readContent(part.bytes)))
    else if (part.malformedHeader === undefined) fields.push(fieldOf(name, readContent(part.content)))
    else {
      const line = JSON.stringify(part.malformedHeader.slice(0, MAX_QUOTED_CHARACTERS))
      return deadLetter(
        'undecodable',
        `a header line of the part "${name}" is no header, it has no colon: ${line}`,
        body,
      )
    }
  }
  for (const each of outside) fields.push(fieldOf('', readText(each)))
  return fields
}

const fieldOf = (name: string, value: string): Field => ({ name, value, type: 'string' })

/** Lets a field `_charset_` name the character set of the parts that name none (RFC 7578, section 4.6). */
const readerOfForm = (parts: readonly Part[]): ReadText | 'unknown' | undefined => {
  const part = parts.find(
    ({ headers }) => dispositionName(headers.get('content-disposition'), readLatin1) === '_charset_',
  )
  return part && (textReader(`;charset=${readLatin1(trimWhiteSpace(part.content))}`) ?? 'unknown')
}

/** @returns undefined if the part does not name its character set; `unknown` if it names one that can't be read */
const readerOfPart = ({ headers }: Part): ReadText | 'unknown' | undefined => {
  const type = headers.get('content-type')
  if (type === undefined || !/;\s*charset\s*=/i.test(type)) return undefined
  return textReader(type) ?? 'unknown'
}

/** A parameter, from its semicolon on. Its value may be quoted, and a quoted one may hold semicolons. */
const PARAMETER = /;\s*([^\s=;"']+)\s*=\s*(?:"((?:\\.|[^"\\])*)"|'([^']*)'|([^;\s]*))/y

/** Only an escaped quote is unescaped: some browsers write the backslashes of a name as they are. */
const dispositionName = (disposition: string | undefined, readText: ReadText): string | undefined => {
  let at = disposition?.indexOf(';') ?? -1
  while (disposition !== undefined && at >= 0) {
    PARAMETER.lastIndex = at
    const match = PARAMETER.exec(disposition)
    if (match?.[1]?.toLowerCase() === 'name') {
      const name = match[2]?.replaceAll('\\"', '"') ?? match[3] ?? match[4] ?? ''
      return readText(Buffer.from(name, 'latin1'))
    }
    at = disposition.indexOf(';', match === null ? at + 1 : PARAMETER.lastIndex)
  }
  return undefined
}

interface Part {
  /** Those that tell how the part is read, by their names in lower case, one character for each byte. */
  readonly headers: ReadonlyMap<string, string>
  /** The first line among the headers that is no header. It tells nothing that could be kept, or where the content begins. */
  readonly malformedHeader: string | undefined
  readonly content: Uint8Array
  /** The headers and the content. */
  readonly bytes: Uint8Array
}

interface SplitForm {
  readonly parts: readonly Part[]
  /** The bytes before the first delimiter and behind the last one, if they are not white space. */
  readonly outside: readonly Uint8Array[]
  readonly defect: 'cut' | 'trailing' | 'too-complex' | undefined
}

const splitParts = (buffer: Buffer, delimiterText: Buffer): SplitForm => {
  const parts: Part[] = []
  const outside: Uint8Array[] = []
  const addOutside = (bytes: Uint8Array): void => {
    if (trimWhiteSpace(bytes).length > 0) outside.push(bytes)
  }
  let delimiter = findDelimiter(buffer, delimiterText, 0)
  addOutside(buffer.subarray(0, delimiter?.start ?? 0))
  while (delimiter !== undefined && !delimiter.isClosing) {
    const next = findDelimiter(buffer, delimiterText, delimiter.end)
    if (next !== undefined && next.start > delimiter.end) {
      const part = parts.length < MAX_PARTS ? readPart(buffer.subarray(delimiter.end, next.start)) : undefined
      if (part === undefined) return { parts: [], outside: [], defect: 'too-complex' }
      parts.push(part)
    }
    delimiter = next
  }
  if (delimiter === undefined) return { parts, outside, defect: 'cut' }
  const hasMore = findDelimiter(buffer, delimiterText, delimiter.end) !== undefined
  addOutside(buffer.subarray(delimiter.end))
  return { parts, outside, defect: hasMore ? 'trailing' : undefined }
}

interface Delimiter {
  /** Where the line break in front of the delimiter begins. */
  readonly start: number
  /** Behind the line break that ends the delimiter. */
  readonly end: number
  readonly isClosing: boolean
}

/** Finds a line that consists of the delimiter. A longer boundary that begins with this one is none. */
const findDelimiter = (buffer: Buffer, text: Buffer, from: number): Delimiter | undefined => {
  for (let at = buffer.indexOf(text, from); at >= 0; at = buffer.indexOf(text, at + 1)) {
    if (at > 0 && buffer[at - 1] !== LF) continue
    let end = at + text.length
    const isClosing = buffer[end] === DASH && buffer[end + 1] === DASH
    if (isClosing) end += 2
    while (buffer[end] === SPACE || buffer[end] === TAB) end++
    if (buffer[end] === CR && buffer[end + 1] === LF) end++
    if (buffer[end] === LF) end++
    else if (end < buffer.length) continue
    const start = at === 0 ? 0 : buffer[at - 2] === CR ? at - 2 : at - 1
    return { start, end, isClosing }
  }
  return undefined
}

/** @returns undefined if the headers are larger than any part has */
const readPart = (bytes: Buffer): Part | undefined => {
  const { headers, content } = splitAtBlankLine(bytes)
  if (headers.length > MAX_PART_HEADER_BYTES) return undefined
  const lines = readLatin1(headers)
    // A header may go on in the next line, which then begins with white space.
    .replace(/\r?\n[ \t]+/g, ' ')
    .split(/\r?\n/)
  const byName = new Map<string, string>()
  let malformedHeader: string | undefined
  for (const line of lines) {
    const colon = line.indexOf(':')
    const name = line.slice(0, Math.max(colon, 0)).trim().toLowerCase()
    if (READ_HEADERS.has(name)) byName.set(name, line.slice(colon + 1).trim())
    else if (colon <= 0 && line !== '') malformedHeader ??= line
  }
  return { headers: byName, malformedHeader, content, bytes }
}

/** The headers of a part that tell how it is read. */
const READ_HEADERS: ReadonlySet<string> = new Set(['content-disposition', 'content-type', 'content-transfer-encoding'])

const splitAtBlankLine = (bytes: Buffer): { readonly headers: Buffer; readonly content: Buffer } => {
  if (bytes[0] === LF) return { headers: bytes.subarray(0, 0), content: bytes.subarray(1) }
  if (bytes[0] === CR && bytes[1] === LF) return { headers: bytes.subarray(0, 0), content: bytes.subarray(2) }
  for (let at = bytes.indexOf(LF); at >= 0; at = bytes.indexOf(LF, at + 1)) {
    const next = bytes[at + 1] === CR ? at + 2 : at + 1
    if (bytes[next] === LF) return { headers: bytes.subarray(0, at), content: bytes.subarray(next + 1) }
  }
  return { headers: bytes, content: bytes.subarray(bytes.length) }
}

const BOUNDARY = /;\s*boundary\s*=\s*(?:"([^"]*)"|([^;\s]*))/i
/** The first delimiter of a form, and a header that every part of a form has. */
const FIRST_PART = /^(--[^\r\n]{1,128})\r?\n(?:[^\r\n]+\r?\n)*?content-disposition[ \t]*:/i
const FIRST_DELIMITER = /^(--[^\r\n]{1,128})\r?\n/
const MAX_FIRST_PART_BYTES = 2048

/**
 * Finds the delimiter in the content type. Without one there, or with one that the body does not contain, the first line of
 * the body tells it: a proxy may have dropped the header, or a program may have written it by hand.
 */
const findDelimiterText = (contentType: string | undefined, buffer: Buffer): Buffer | undefined => {
  const isMultipart = contentType !== undefined && /^\s*multipart\//i.test(contentType)
  const match = isMultipart ? BOUNDARY.exec(contentType) : null
  const boundary = (match?.[1] ?? match?.[2] ?? '').trim()
  if (boundary !== '' && boundary.length <= MAX_BOUNDARY_CHARACTERS) {
    const text = Buffer.from(`--${boundary}`, 'latin1')
    if (findDelimiter(buffer, text, 0) !== undefined) return text
  }
  const start = readLatin1(trimWhiteSpace(buffer.subarray(0, MAX_FIRST_PART_BYTES)))
  const found = (isMultipart ? FIRST_DELIMITER : FIRST_PART).exec(start)?.[1]?.trimEnd()
  return found === undefined ? undefined : Buffer.from(found, 'latin1')
}
