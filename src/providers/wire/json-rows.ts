/**
 * Where in a body the rows lie, byte for byte, also when the body is cut or ends in something else.
 *
 * Only quotes, brackets and commas are looked at, once, from front to back. For JSON that is exact; where it is not
 * JSON, a row found here does not parse, and becomes a dead letter of its own.
 */
import {
  BACKSLASH,
  CLOSE_ARRAY,
  CLOSE_OBJECT,
  COLON,
  COMMA,
  LOWER_N,
  OPEN_ARRAY,
  OPEN_OBJECT,
  QUOTE,
  isBlank,
  isDelimiter,
} from './json-bytes.js'

/** What one body may hold of rows; the largest answer by default has room for some 300,000. The rest is not read. */
export const MAX_ROWS = 500_000

export interface Rows {
  /** Start and end of each row, flat: 0, 12, 13, 25. */
  readonly rows: number[]
  /** Start and end of the members beside the rows, flat. */
  readonly envelope: number[]
  /** Whether an array of rows was found under the key that was asked for. */
  readonly keyFound: boolean
  /** What is left over; undefined when the body was one whole document. `cut`: it ends too early. */
  readonly rest: { readonly from: number; readonly kind: 'cut' | 'broken' | 'trailing' } | undefined
}

/**
 * Elements of an array are rows, an object is one row. With `key`, an object that has an array under that key gives
 * the elements of that array instead; `#isRows` says what else may stand there. Further documents may follow, as in one object a line.
 */
export const findRows = (bytes: Uint8Array, key?: string): Rows => new Scanner(bytes, key).run()

class Scanner {
  readonly #bytes: Uint8Array
  readonly #key: string | undefined
  readonly #rows: number[] = []
  #envelope: number[] = []
  #keyFound = false
  #at = 0
  /** Where what is not yet whole begins. */
  #from = 0

  constructor(bytes: Uint8Array, key: string | undefined) {
    this.#bytes = bytes
    this.#key = key
  }

  run(): Rows {
    let documents = 0
    for (;;) {
      this.#blanks()
      this.#from = this.#at
      if (this.#at >= this.#bytes.length) return this.#result(documents === 0 ? 'cut' : undefined)
      const byte = this.#bytes[this.#at]
      if (documents > 0 && (this.#keyFound || (byte !== OPEN_OBJECT && byte !== OPEN_ARRAY))) {
        return this.#result('trailing')
      }
      const whole = byte === OPEN_ARRAY ? this.#elements() : byte === OPEN_OBJECT ? this.#document() : false
      if (!whole) return this.#result(this.#at >= this.#bytes.length ? 'cut' : 'broken')
      documents++
    }
  }

  #result(kind: 'cut' | 'broken' | 'trailing' | undefined): Rows {
    return {
      rows: this.#rows,
      envelope: this.#envelope,
      keyFound: this.#keyFound,
      rest: kind && { from: this.#from, kind },
    }
  }

  /** From `[` to behind `]`; each element is a row. */
  #elements(): boolean {
    this.#at++
    for (let first = true; ; first = false) {
      this.#blanks()
      this.#from = this.#at
      if (this.#bytes[this.#at] === CLOSE_ARRAY) return this.#step()
      if (!first) {
        if (this.#bytes[this.#at] !== COMMA) return false
        this.#at++
        this.#blanks()
        // What follows the comma is the first that may be missing; a comma in front of the end is let pass.
        this.#from = this.#at
        if (this.#bytes[this.#at] === CLOSE_ARRAY) return this.#step()
      }
      if (this.#rows.length >= 2 * MAX_ROWS) return false
      const start = this.#at
      if (!this.#value()) return false
      this.#rows.push(start, this.#at)
    }
  }

  /** From `{` to behind `}`: the rows under the key, and what stands beside them; else the object is a row. */
  #document(): boolean {
    const start = this.#at
    if (this.#key === undefined) {
      if (!this.#value()) return false
      this.#rows.push(start, this.#at)
      return true
    }
    const members: number[] = []
    let found = false
    this.#at++
    for (let first = true; ; first = false) {
      this.#blanks()
      if (found) this.#from = this.#at
      if (this.#bytes[this.#at] === CLOSE_OBJECT) {
        this.#at++
        if (!found) this.#rows.push(start, this.#at)
        return true
      }
      if (!first) {
        if (this.#bytes[this.#at] !== COMMA) return false
        this.#at++
        this.#blanks()
      }
      if (found) this.#from = this.#at
      const member = this.#at
      if (this.#bytes[this.#at] !== QUOTE || !this.#value()) return false
      const isKey = this.#isKey(member, this.#at)
      this.#blanks()
      if (this.#bytes[this.#at] !== COLON) return false
      this.#at++
      this.#blanks()
      if (isKey && this.#bytes[this.#at] === OPEN_ARRAY) {
        found = true
        this.#keyFound = true
        this.#envelope = members
        if (!this.#elements()) return false
      } else {
        const value = this.#at
        if (!this.#value()) return false
        if (isKey && this.#isRows(value)) {
          found = true
          this.#keyFound = true
          this.#envelope = members
        } else members.push(member, this.#at)
      }
    }
  }

  /**
   * What may stand under the key instead of an array: `null` for none; an object of objects, as PHP writes a list with
   * gaps; an object that is the only row.
   */
  #isRows(start: number): boolean {
    const end = this.#at
    if (this.#bytes[start] !== OPEN_OBJECT) return end - start === 4 && this.#bytes[start] === LOWER_N
    const values = this.#values(start)
    this.#at = end
    const listed = values?.every((each, i) => i % 2 === 1 || this.#bytes[each] === OPEN_OBJECT)
    for (const each of listed && values ? values : [start, end]) this.#rows.push(each)
    return true
  }

  /** Start and end of each value of the object that begins here; undefined where it is not read to its end. */
  #values(start: number): number[] | undefined {
    const values: number[] = []
    this.#at = start + 1
    for (;;) {
      this.#blanks()
      if (this.#bytes[this.#at] === CLOSE_OBJECT) return values
      if (values.length > 0) {
        if (this.#bytes[this.#at] !== COMMA || values.length >= 2 * MAX_ROWS) return undefined
        this.#at++
        this.#blanks()
      }
      if (this.#bytes[this.#at] !== QUOTE || !this.#value()) return undefined
      this.#blanks()
      if (this.#bytes[this.#at] !== COLON) return undefined
      this.#at++
      this.#blanks()
      const value = this.#at
      if (!this.#value()) return undefined
      values.push(value, this.#at)
    }
  }

  #isKey(start: number, end: number): boolean {
    const text = Buffer.from(this.#bytes.buffer, this.#bytes.byteOffset + start, end - start).toString('latin1')
    if (text.length === (this.#key as string).length + 2) return text === `"${this.#key}"`
    if (!text.includes('\\') || text.length > 100) return false
    try {
      return JSON.parse(text) === this.#key
    } catch {
      return false
    }
  }

  /** Moves behind the value that begins here; false when the bytes end before it does, or nothing begins here. */
  #value(): boolean {
    const byte = this.#bytes[this.#at]
    if (byte === QUOTE) return this.#string()
    if (byte === OPEN_OBJECT || byte === OPEN_ARRAY) return this.#brackets()
    const start = this.#at
    while (this.#at < this.#bytes.length && !isDelimiter(this.#bytes[this.#at] as number)) this.#at++
    // At the end of the bytes it can't be known whether a number goes on.
    return this.#at > start && this.#at < this.#bytes.length
  }

  #brackets(): boolean {
    let depth = 0
    const { length } = this.#bytes
    while (this.#at < length) {
      const byte = this.#bytes[this.#at] as number
      if (byte === QUOTE) {
        if (!this.#string()) return false
        continue
      }
      this.#at++
      if (byte === OPEN_OBJECT || byte === OPEN_ARRAY) depth++
      else if ((byte === CLOSE_OBJECT || byte === CLOSE_ARRAY) && --depth === 0) return true
    }
    return false
  }

  #string(): boolean {
    const bytes = this.#bytes
    let at = this.#at + 1
    for (; at < bytes.length; at++) {
      const byte = bytes[at]
      if (byte === BACKSLASH) at++
      else if (byte === QUOTE) {
        this.#at = at + 1
        return true
      }
    }
    this.#at = bytes.length
    return false
  }

  #blanks(): void {
    while (isBlank(this.#bytes[this.#at])) this.#at++
  }

  #step(): true {
    this.#at++
    return true
  }
}
