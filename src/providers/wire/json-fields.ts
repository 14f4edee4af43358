/**
 * A JSON object as fields.
 *
 * Not `JSON.parse`, nor a library on top of its data model, because `raw` promises more than that model holds: numbers
 * as their own text (1.0, 12345678901234567890), keys that occur twice, `__proto__`, and nesting without recursion
 * into the stack's limit. Two liberties are taken, both of them unambiguous: control characters inside strings (a line
 * break in an SMS) and numbers with leading zeros.
 */
import type { Field } from './fields.js'

const MAX_DEPTH = 64
const MAX_FIELDS = 1_000_000
const MAX_NAME_CHARACTERS = 64 * 1024 * 1024

const NUMBER = /-?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y

/** `too-complex`: JSON, as far as read, but more of it than any item has. */
export interface JsonProblem {
  readonly reason: 'not-json' | 'too-complex'
  /** What was found, and at which character. */
  readonly detail: string
}

export const jsonFields = (text: string): Field[] | JsonProblem => new Reader(text).run()

class Reader {
  readonly #text: string
  readonly #fields: Field[] = []
  #at = 0
  #nameCharacters = 0
  #problem: JsonProblem | undefined

  constructor(text: string) {
    this.#text = text
  }

  run(): Field[] | JsonProblem {
    this.#blanks()
    if (this.#text.charCodeAt(this.#at) !== 0x7b) this.#fail('an object was expected')
    else this.#object('', 0)
    this.#blanks()
    if (this.#at < this.#text.length) this.#fail('the end was expected')
    return this.#problem ?? this.#fields
  }

  #object(prefix: string, depth: number): void {
    this.#at++
    for (let first = true; ; first = false) {
      this.#blanks()
      const code = this.#text.charCodeAt(this.#at)
      if (code === 0x7d) return void this.#at++
      if (!first) {
        if (code !== 0x2c) return this.#fail('a comma or the end of the object was expected')
        this.#at++
        this.#blanks()
      }
      if (this.#text.charCodeAt(this.#at) !== 0x22) return this.#fail('a quoted name was expected')
      const key = this.#string()
      this.#blanks()
      if (this.#text.charCodeAt(this.#at) !== 0x3a) return this.#fail('a colon was expected')
      this.#at++
      this.#value(depth === 0 ? key : `${prefix}[${key}]`, depth)
      if (this.#problem) return
    }
  }

  #array(prefix: string, depth: number): void {
    this.#at++
    for (let index = 0; ; index++) {
      this.#blanks()
      const code = this.#text.charCodeAt(this.#at)
      if (code === 0x5d) return void this.#at++
      if (index > 0) {
        if (code !== 0x2c) return this.#fail('a comma or the end of the array was expected')
        this.#at++
      }
      this.#value(`${prefix}[${index}]`, depth)
      if (this.#problem) return
    }
  }

  #value(name: string, depth: number): void {
    if (this.#problem) return
    this.#blanks()
    switch (this.#text.charCodeAt(this.#at)) {
      case 0x22:
        return this.#add(name, this.#string(), 'string')
      case 0x7b:
        return this.#nested(name, depth, 0x7d)
      case 0x5b:
        return this.#nested(name, depth, 0x5d)
      case 0x74:
        return this.#word(name, 'true', 'boolean')
      case 0x66:
        return this.#word(name, 'false', 'boolean')
      case 0x6e:
        return this.#word(name, 'null', 'null')
      default:
        return this.#number(name)
    }
  }

  #nested(name: string, depth: number, closing: number): void {
    const start = this.#at
    this.#at++
    this.#blanks()
    if (this.#text.charCodeAt(this.#at) === closing) {
      this.#at++
      return this.#add(name, this.#text.slice(start, this.#at), 'empty')
    }
    if (depth >= MAX_DEPTH) return this.#fail(`nesting deeper than ${MAX_DEPTH}`, 'too-complex')
    this.#at = start
    if (closing === 0x7d) this.#object(name, depth + 1)
    else this.#array(name, depth + 1)
  }

  #word(name: string, word: string, type: Field['type']): void {
    if (!this.#text.startsWith(word, this.#at)) return this.#fail('a value was expected')
    this.#at += word.length
    this.#add(name, word, type)
  }

  #number(name: string): void {
    NUMBER.lastIndex = this.#at
    const match = NUMBER.exec(this.#text)
    if (match === null) return this.#fail('a value was expected')
    this.#at = NUMBER.lastIndex
    this.#add(name, match[0], 'number')
  }

  /** Stands on the opening quote; leaves behind the closing one. */
  #string(): string {
    const start = this.#at + 1
    let at = start
    let escaped = false
    for (;;) {
      const code = this.#text.charCodeAt(at)
      if (code === 0x22) break
      if (code === 0x5c) {
        escaped = true
        at++
      }
      if (at >= this.#text.length) {
        this.#fail('a string has no end')
        return ''
      }
      at++
    }
    this.#at = at + 1
    const content = this.#text.slice(start, at)
    if (!escaped) return content
    try {
      // An escape alone can bring half of a surrogate pair: what decoded the bytes lets none through.
      return (JSON.parse(`"${content.replace(CONTROL, escapeControl)}"`) as string).toWellFormed()
    } catch {
      this.#at = start
      this.#fail('a string holds an escape that JSON does not know')
      return ''
    }
  }

  #add(name: string, value: string, type: Field['type']): void {
    if (this.#problem) return
    this.#nameCharacters += name.length
    if (this.#fields.length >= MAX_FIELDS || this.#nameCharacters > MAX_NAME_CHARACTERS) {
      return this.#fail('more fields or longer names than any item has', 'too-complex')
    }
    this.#fields.push({ name, value, type })
  }

  #blanks(): void {
    for (;;) {
      const code = this.#text.charCodeAt(this.#at)
      if (code !== 0x20 && code !== 0x0a && code !== 0x0d && code !== 0x09) return
      this.#at++
    }
  }

  #fail(expected: string, reason: JsonProblem['reason'] = 'not-json'): void {
    if (this.#problem) return
    const found = this.#text.slice(this.#at, this.#at + 12)
    const where = `at character ${this.#at}`
    const detail = reason === 'too-complex' ? `${expected}, ${where}` : `${expected} ${where}, found "${found}"`
    this.#problem = { reason, detail }
  }
}

// eslint-disable-next-line no-control-regex -- these are the characters in question
const CONTROL = /[\u0000-\u001f]/g
const escapeControl = (c: string): string => `\\u00${c.charCodeAt(0).toString(16).padStart(2, '0')}`
