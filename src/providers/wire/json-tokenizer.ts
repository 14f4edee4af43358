/** Reads JSON text (RFC 8259) token by token. `json-rows.ts` and `json-fields.ts` are built on it. */

export const QUOTE = 0x22
const COMMA = 0x2c
export const COLON = 0x3a
export const OPEN_ARRAY = 0x5b
export const CLOSE_ARRAY = 0x5d
export const OPEN_OBJECT = 0x7b
export const CLOSE_OBJECT = 0x7d
const BACKSLASH = 0x5c

/** The result of `peek` at the end of the text. */
export const END = -1

const isWhiteSpace = (code: number): boolean => code === 0x20 || code === 0x0a || code === 0x0d || code === 0x09

/** Whether a number, `true`, `false` or `null` ends before this character. */
const isDelimiter = (code: number): boolean =>
  code === COMMA ||
  code === CLOSE_ARRAY ||
  code === CLOSE_OBJECT ||
  code === QUOTE ||
  code === COLON ||
  code === OPEN_ARRAY ||
  code === OPEN_OBJECT ||
  code <= 0x20

/** @returns the index behind the string that begins at `start`; undefined if the string has no closing quote */
const endOfString = (text: string, start: number): number | undefined => {
  // `indexOf` is several times as fast as a loop over the characters.
  let quote = text.indexOf('"', start + 1)
  while (quote > 0) {
    let before = quote - 1
    while (text.charCodeAt(before) === BACKSLASH) before--
    const backslashes = quote - before - 1
    if (backslashes % 2 === 0) return quote + 1
    quote = text.indexOf('"', quote + 1)
  }
  return undefined
}

/** @returns the index behind the object or array that begins at `start`; undefined if its last bracket is missing */
const endOfBrackets = (text: string, start: number): number | undefined => {
  let depth = 0
  let at = start
  while (at < text.length) {
    const code = text.charCodeAt(at)
    if (code === QUOTE) {
      const end = endOfString(text, at)
      if (end === undefined) return undefined
      at = end
      continue
    }
    at++
    if (code === OPEN_OBJECT || code === OPEN_ARRAY) depth++
    else if (code === CLOSE_OBJECT || code === CLOSE_ARRAY) depth--
    else continue
    if (depth === 0) return at
  }
  return undefined
}

/**
 * A position in a JSON text, which moves forward token by token.
 *
 * The tokenizer only looks at quotes, brackets, commas and colons. It accepts any character in a string, and does not
 * check what lies between the brackets of a value that it skips. Its callers check as much of the grammar as they need.
 */
export class JsonTokenizer {
  readonly text: string
  /** The index of the next character. */
  at = 0

  constructor(text: string) {
    this.text = text
  }

  get isAtEnd(): boolean {
    return this.at >= this.text.length
  }

  /** Skips white space and returns the code of the next character without skipping it, or `END`. */
  peek(): number {
    const { text } = this
    for (; this.at < text.length; this.at++) {
      const code = text.charCodeAt(this.at)
      if (!isWhiteSpace(code)) return code
    }
    return END
  }

  /** Skips white space, and the next character if it has this code. @returns whether it has */
  skip(code: number): boolean {
    if (this.peek() !== code) return false
    this.at++
    return true
  }

  /**
   * Moves to the next element of an array, or member of an object, in which the tokenizer is.
   *
   * @param closing the closing bracket
   * @returns `end` behind the closing bracket; `missing-comma` before a character that is neither a comma nor that
   * bracket
   */
  nextElement(closing: number, isFirst: boolean): 'element' | 'end' | 'missing-comma' {
    const code = this.peek()
    if (code === closing) {
      this.at++
      return 'end'
    }
    if (isFirst) return 'element'
    if (code !== COMMA) return 'missing-comma'
    this.at++
    this.peek()
    return 'element'
  }

  /** Skips the string whose opening quote is the next character. @returns false if the text ends inside the string */
  skipString(): boolean {
    return this.#moveTo(endOfString(this.text, this.at))
  }

  /** Skips white space and a value. @returns false if no value begins here, or if the text may end inside the value */
  skipValue(): boolean {
    const { text } = this
    const code = this.peek()
    if (code === QUOTE) return this.skipString()
    if (code === OPEN_OBJECT || code === OPEN_ARRAY) return this.#moveTo(endOfBrackets(text, this.at))
    const start = this.at
    while (this.at < text.length && !isDelimiter(text.charCodeAt(this.at))) this.at++
    // A number that ends with the text may have lost digits.
    return this.at > start && this.at < text.length
  }

  #moveTo(end: number | undefined): boolean {
    this.at = end ?? this.text.length
    return end !== undefined
  }
}
