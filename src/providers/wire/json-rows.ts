/**
 * The rows of a JSON body: where they lie, byte for byte, what their fields are, and which bytes belong to no row.
 *
 * The body may be cut or may stop being JSON at any byte. Finding the rows only looks at quotes, brackets, commas and
 * colons, so that the rows before that byte are still found. In JSON this is exact. In anything else, a row that is
 * found can't be parsed and becomes a dead letter of its own.
 */
import { constants } from 'node:buffer'
import type { DeadLetterItem, Item } from '../provider.js'
import type { DecodedBody } from './body.js'
import { ByteRanges } from './byte-ranges.js'
import { readLatin1 } from './charset.js'
import { deadLetter, sharedFieldsDeadLetter } from './dead-letter.js'
import { areTooLargeToShare, type Field } from './fields.js'
import { jsonFields } from './json-fields.js'
import {
  CLOSE_ARRAY,
  CLOSE_OBJECT,
  COLON,
  END,
  JsonTokenizer,
  OPEN_ARRAY,
  OPEN_OBJECT,
  QUOTE,
} from './json-tokenizer.js'

/**
 * The number of rows after which a body is read no further. The largest answer by default has room for about 300,000.
 */
const MAX_ROWS = 500_000

/** What prevents the end of a body from being read: it is cut, is not JSON, or follows a document that is complete. */
type RemainderKind = 'cut' | 'broken' | 'trailing'

export interface FoundRows {
  readonly rows: ByteRanges
  /** The members beside the rows, each with its name. */
  readonly envelope: ByteRanges
  /** For each of these members, how many keys of the path to the rows lead to the object that it stands in. */
  readonly envelopeLevels: readonly number[]
  /** Whether there are rows, or an empty list, under the key that was searched for. */
  readonly hasKey: boolean
  /** The bytes that are neither rows nor envelope begin at `from`; undefined if the body can be read to its end. */
  readonly remainder: { readonly from: number; readonly kind: RemainderKind } | undefined
}

/** Whether a body begins as a JSON object or array. */
export const beginsLikeJson = (body: Uint8Array): boolean => isObjectOrArray(body[0])

const isObjectOrArray = (code: number | undefined): boolean => code === OPEN_OBJECT || code === OPEN_ARRAY

/**
 * Finds the rows of a body. Each element of an array is a row, and an object is one row; other documents may follow, as
 * in a body with one object on each line. If keys are given and lead to a value, the rows are the elements of the array
 * there. Instead of the array there may be `null` for no rows, an object of objects, as PHP writes a list with gaps, or an
 * object that is the only row.
 *
 * @param keys the names of the objects around the rows, from the outermost, and of the rows themselves
 */
export const findRows = (bytes: Uint8Array, ...keys: readonly string[]): FoundRows => new RowFinder(bytes, keys).find()

class RowFinder {
  readonly #json: JsonTokenizer
  readonly #keys: readonly string[]
  readonly #isComplete: boolean
  readonly #rows = new ByteRanges()
  /** The members of the document that is being read, except those that the keys name. */
  #members = new ByteRanges()
  #levels: number[] = []
  #hasKey = false
  /** Where the document, row or member begins that has not been read to its end. */
  #unfinishedFrom = 0

  constructor(bytes: Uint8Array, keys: readonly string[]) {
    // One character for each byte, so that indexes are offsets. Bytes that no string has room for are a remainder.
    this.#json = new JsonTokenizer(readLatin1(bytes.subarray(0, constants.MAX_STRING_LENGTH)))
    this.#isComplete = bytes.length <= constants.MAX_STRING_LENGTH
    this.#keys = keys
  }

  find(): FoundRows {
    for (let documents = 0; ; documents++) {
      const first = this.#json.peek()
      this.#unfinishedFrom = this.#json.at
      if (first === END) return this.#result(documents === 0 ? 'cut' : this.#isComplete ? undefined : 'trailing')
      if (documents > 0 && (this.#hasKey || !isObjectOrArray(first))) return this.#result('trailing')
      if (!this.#readDocument(first)) return this.#result(this.#json.isAtEnd ? 'cut' : 'broken')
    }
  }

  #result(kind: RemainderKind | undefined): FoundRows {
    return {
      rows: this.#rows,
      envelope: this.#hasKey ? this.#members : new ByteRanges(),
      envelopeLevels: this.#hasKey ? this.#levels : [],
      hasKey: this.#hasKey,
      remainder: kind && { from: this.#unfinishedFrom, kind },
    }
  }

  /** This method and those below it return false where the bytes end, or are not JSON. */
  #readDocument(first: number): boolean {
    if (first === OPEN_ARRAY) return this.#readRows()
    if (first !== OPEN_OBJECT) return false
    return this.#keys.length === 0 ? this.#readRow() : this.#readEnvelope()
  }

  #readRow(): boolean {
    const start = this.#json.at
    if (!this.#json.skipValue()) return false
    this.#rows.add(start, this.#json.at)
    return true
  }

  /** Reads an array of rows. A comma before its end is accepted. */
  #readRows(): boolean {
    const json = this.#json
    json.at++
    for (let isFirst = true; ; isFirst = false) {
      const next = json.nextElement(CLOSE_ARRAY, isFirst)
      this.#unfinishedFrom = json.at
      if (next === 'end' || json.skip(CLOSE_ARRAY)) return true
      if (next === 'missing-comma' || this.#rows.count >= MAX_ROWS || !this.#readRow()) return false
    }
  }

  /** Reads an object that may have the rows under the keys. Without them, the object is a row itself. */
  #readEnvelope(): boolean {
    const start = this.#json.at
    this.#members = new ByteRanges()
    this.#levels = []
    if (!this.#readMembers(0)) return false
    if (!this.#hasKey) this.#rows.add(start, this.#json.at)
    return true
  }

  /** @param level how many keys lead to the object that begins here */
  #readMembers(level: number): boolean {
    const json = this.#json
    const key = this.#keys[level]!
    const isLastKey = level === this.#keys.length - 1
    json.at++
    for (let isFirst = true; ; isFirst = false) {
      const next = json.nextElement(CLOSE_OBJECT, isFirst)
      if (next === 'end') return true
      if (this.#hasKey) this.#unfinishedFrom = json.at
      const memberStart = json.at
      if (next === 'missing-comma' || json.peek() !== QUOTE || !json.skipString()) return false
      const isKey = isString(json.text.slice(memberStart, json.at), key)
      if (!json.skip(COLON)) return false
      const value = json.peek()
      const valueStart = json.at
      if (isKey && !isLastKey && value === OPEN_OBJECT) {
        if (!this.#readMembers(level + 1)) return false
        continue
      }
      if (isKey && isLastKey && value === OPEN_ARRAY) {
        this.#hasKey = true
        if (!this.#readRows()) return false
        continue
      }
      if (!json.skipValue()) return false
      if (isKey && isLastKey && value === OPEN_OBJECT) {
        this.#hasKey = true
        this.#addRowsOfObject(valueStart)
      } else if (isKey && isLastKey && json.text.slice(valueStart, json.at) === 'null') this.#hasKey = true
      else {
        this.#members.add(memberStart, json.at)
        this.#levels.push(level)
      }
    }
  }

  /** Adds the values of the object that ends here, if all of them are objects; else the object itself. */
  #addRowsOfObject(start: number): void {
    const json = this.#json
    const end = json.at
    const values = this.#objectsIn(start)
    json.at = end
    if (values) this.#rows.addAll(values)
    else this.#rows.add(start, end)
  }

  #objectsIn(start: number): ByteRanges | undefined {
    const json = this.#json
    const objects = new ByteRanges()
    json.at = start + 1
    for (let isFirst = true; ; isFirst = false) {
      const next = json.nextElement(CLOSE_OBJECT, isFirst)
      if (next === 'end') return objects
      if (next === 'missing-comma' || objects.count >= MAX_ROWS) return undefined
      if (json.peek() !== QUOTE || !json.skipString() || !json.skip(COLON)) return undefined
      const isObject = json.peek() === OPEN_OBJECT
      const objectStart = json.at
      if (!isObject || !json.skipValue()) return undefined
      objects.add(objectStart, json.at)
    }
  }
}

/** A larger body is not walked by regular expressions, whose stack grows with what they match. */
const MAX_WALKED_BYTES = 4 * 1024 * 1024

const WHITE_SPACE = '[ \\t\\r\\n]*'
/** Each part accepts no more than `jsonFields` does, and no part can match a text in two ways. */
const NAME = '"[^"\\\\]*"'
const STRING = String.raw`"[^"\\]*(?:\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})[^"\\]*)*"`
const NUMBER_OR_WORD = String.raw`-?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?|true|false|null`
const MEMBER = [NAME, ':', `(?:${STRING}|${NUMBER_OR_WORD})`, ''].join(WHITE_SPACE)
const FLAT_ROW = new RegExp(`\\{${WHITE_SPACE}${MEMBER}(?:,${WHITE_SPACE}${MEMBER})*\\}`, 'y')
const NEXT_ROW = new RegExp(`${WHITE_SPACE},${WHITE_SPACE}`, 'y')
const END_OF_ROWS = new RegExp(['', '\\]', '\\}', '$'].join(WHITE_SPACE), 'y')

/**
 * Counts the rows of a body without reading their fields, which takes a fifth of the time. It counts only what needs no closer
 * look: a whole object whose one member, `key`, is an array of objects, each with at least one member, and none with a nested
 * value or an escape in a name. `jsonFields` can read every such row.
 *
 * @param isCounted whether a row is of the kind that is counted, as far as its text shows without doubt; the text has one
 * character for each byte
 * @returns undefined for every other body, and if any row is not counted: then the rows have to be read
 */
export function countFlatRows(
  bytes: Uint8Array,
  key: string,
  isCounted: (text: string, start: number, end: number) => boolean,
): number | undefined {
  if (bytes.length > MAX_WALKED_BYTES) return undefined
  const text = readLatin1(bytes)
  let at = matchAt(new RegExp(['', '\\{', `"${key}"`, ':', '\\[', ''].join(WHITE_SPACE), 'y'), text, 0)
  for (let rows = 1; at !== undefined; rows++) {
    const start = at
    const end = matchAt(FLAT_ROW, text, start)
    if (end === undefined || !isCounted(text, start, end)) return undefined
    if (matchAt(END_OF_ROWS, text, end) !== undefined) return rows
    at = matchAt(NEXT_ROW, text, end)
  }
  return undefined
}

/** @returns the index behind the match that begins at `start`; undefined if there is none */
const matchAt = (pattern: RegExp, text: string, start: number): number | undefined => {
  pattern.lastIndex = start
  return pattern.test(text) ? pattern.lastIndex : undefined
}

const MAX_QUOTED_KEY_LENGTH = 100

/** Whether a quoted string, which may be written with escapes, has this content. */
const isString = (quoted: string, content: string): boolean => {
  if (quoted === `"${content}"`) return true
  if (!quoted.includes('\\') || quoted.length > MAX_QUOTED_KEY_LENGTH) return false
  const fields = jsonFields(`{${quoted}:0}`)
  return Array.isArray(fields) && fields[0]?.name === content
}

/**
 * Reads the items of each row when they are asked for, so that only one row of a large page is in memory. Rows that
 * can't be read, and bytes that belong to no row, become dead letters.
 *
 * @param received the body as it was received
 */
export function* readRows(
  found: FoundRows,
  decoded: DecodedBody,
  received: Uint8Array,
  readItems: (fields: readonly Field[], row: Uint8Array) => Iterable<Item>,
): Generator<Item, void, undefined> {
  for (const row of found.rows.slices(decoded.bytes)) {
    const fields = readRowFields(row, decoded)
    if (Array.isArray(fields)) yield* readItems(fields, row)
    else yield fields
  }
  const remainder = remainderDeadLetter(found, decoded, received)
  if (remainder) yield remainder
}

export interface EnvelopeFields {
  /** The fields beside the rows, which belong to each row. */
  readonly fields: readonly Field[]
  readonly deadLetters: readonly DeadLetterItem[]
}

/**
 * Reads the members beside the rows. A member of an inner object has a name such as `event[id]`.
 *
 * @param keys as they were given to `findRows`
 */
export function readEnvelope(
  { envelope, envelopeLevels, rows }: FoundRows,
  { bytes, readText }: DecodedBody,
  ...keys: readonly string[]
): EnvelopeFields {
  const fields: Field[] = []
  const deadLetters: DeadLetterItem[] = []
  for (const [index, level] of envelopeLevels.entries()) {
    const member = envelope.slice(bytes, index)
    const outer = keys.slice(0, level).map((key) => `{${JSON.stringify(key)}:`)
    const memberFields = jsonFields(`${outer.join('')}{${readText(member)}}${'}'.repeat(level)}`)
    if (Array.isArray(memberFields)) for (const field of memberFields) fields.push(field)
    else {
      const detail = `a field beside the rows can't be read: ${memberFields.detail}`
      deadLetters.push(deadLetter(memberFields.reason, detail, member))
    }
  }
  if (!areTooLargeToShare(fields, rows.count)) return { fields, deadLetters }
  // The rows become events without the fields beside them, which become dead letters.
  for (const member of envelope.slices(bytes)) deadLetters.push(sharedFieldsDeadLetter(rows.count, member))
  return { fields: [], deadLetters }
}

/** The fields of each row that can be read. */
export function* readableRows({ rows }: FoundRows, decoded: DecodedBody): Generator<readonly Field[], void, undefined> {
  for (const row of rows.slices(decoded.bytes)) {
    const fields = readRowFields(row, decoded)
    if (Array.isArray(fields)) yield fields
  }
}

const readRowFields = (row: Uint8Array, { readText }: DecodedBody): Field[] | DeadLetterItem => {
  if (row[0] !== OPEN_OBJECT) return deadLetter('not-a-row', 'an element of the list is not an object', row)
  const fields = jsonFields(readText(row))
  return Array.isArray(fields) ? fields : deadLetter(fields.reason, `the row can't be read: ${fields.detail}`, row)
}

/** The dead letter has the whole body as received if no row can be told apart. */
const remainderDeadLetter = (
  { rows, hasKey, remainder }: FoundRows,
  { bytes }: DecodedBody,
  received: Uint8Array,
): DeadLetterItem | undefined => {
  if (remainder === undefined) return undefined
  const { from, kind } = remainder
  const before = rows.count === 1 ? '1 whole row precedes it' : `${rows.count} whole rows precede it`
  const body = rows.count === 0 ? received : bytes.subarray(from)
  switch (kind) {
    case 'cut':
      return rows.count > 0 || hasKey
        ? deadLetter('cut-page', `the document breaks off, and what follows is lost; ${before}`, body)
        : deadLetter('not-json', 'the document begins like JSON and breaks off', body)
    case 'broken':
      return deadLetter('not-json', `the bytes from offset ${from} on are not JSON; ${before}`, body)
    case 'trailing':
      return deadLetter('trailing-bytes', `more bytes follow the document at offset ${from}; ${before}`, body)
  }
}
