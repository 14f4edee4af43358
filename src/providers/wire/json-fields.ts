/**
 * Reads a JSON object as a flat list of fields, exactly as sent.
 *
 * It does not use `JSON.parse`, because `raw` keeps more than JavaScript's objects can hold: the text of numbers (1.0,
 * 12345678901234567890), keys that occur twice, and `__proto__`. Nesting is limited, so that it can't exhaust the
 * stack. Two things are accepted that RFC 8259 forbids, because neither can be misread: control characters in strings
 * (a line break in an SMS), and numbers with leading zeros.
 */
import type { Field } from './fields.js'
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

const MAX_DEPTH = 64
const MAX_FIELDS = 1_000_000
/** The limit for the lengths of all names together: a long name may stand in front of many values. */
const MAX_NAME_CHARACTERS = 64 * 1024 * 1024

const WORD_OR_NUMBER = /true|false|null|-?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y

/** Why a text can't be read. `too-complex`: it is JSON as far as it was read, and exceeds one of the limits. */
export interface JsonProblem {
  readonly reason: 'not-json' | 'too-complex'
  /** What was expected, what was found, and at which character. */
  readonly detail: string
}

/** @param maxFields more fields are `too-complex` */
export const jsonFields = (text: string, maxFields = MAX_FIELDS): Field[] | JsonProblem =>
  new FieldReader(text, maxFields).read()

class FieldReader {
  readonly #json: JsonTokenizer
  readonly #maxFields: number
  /** Whether no part of the text has an escape or half of a surrogate pair, so that strings are what stands between quotes. */
  readonly #isPlain: boolean
  readonly #fields: Field[] = []
  #nameCharacters = 0
  #problem: JsonProblem | undefined

  constructor(text: string, maxFields: number) {
    this.#json = new JsonTokenizer(text)
    this.#maxFields = maxFields
    this.#isPlain = !text.includes('\\') && text.isWellFormed()
  }

  read(): Field[] | JsonProblem {
    if (this.#json.peek() === OPEN_OBJECT) this.#readObject('', 0)
    else this.#fail('an object was expected')
    if (this.#json.peek() !== END) this.#fail('the end was expected')
    return this.#problem ?? this.#fields
  }

  #readObject(prefix: string, depth: number): void {
    const json = this.#json
    json.at++
    for (let isFirst = true; ; isFirst = false) {
      const next = json.nextElement(CLOSE_OBJECT, isFirst)
      if (next === 'end') return
      if (next === 'missing-comma') return this.#fail('a comma or the end of the object was expected')
      if (json.peek() !== QUOTE) return this.#fail('a quoted name was expected')
      const exactKey = this.#readString()
      const key = this.#isPlain ? exactKey : exactKey.toWellFormed()
      if (this.#problem) return
      if (!json.skip(COLON)) return this.#fail('a colon was expected')
      this.#readValue(depth === 0 ? key : `${prefix}[${key}]`, depth)
      if (this.#problem) return
    }
  }

  #readArray(prefix: string, depth: number): void {
    const json = this.#json
    json.at++
    for (let index = 0; ; index++) {
      const next = json.nextElement(CLOSE_ARRAY, index === 0)
      if (next === 'end') return
      if (next === 'missing-comma') return this.#fail('a comma or the end of the array was expected')
      this.#readValue(`${prefix}[${index}]`, depth)
      if (this.#problem) return
    }
  }

  #readValue(name: string, depth: number): void {
    switch (this.#json.peek()) {
      case QUOTE:
        return this.#readStringField(name)
      case OPEN_OBJECT:
        return this.#readNested(name, depth, CLOSE_OBJECT)
      case OPEN_ARRAY:
        return this.#readNested(name, depth, CLOSE_ARRAY)
      default:
        return this.#readWordOrNumber(name)
    }
  }

  #readNested(name: string, depth: number, closing: typeof CLOSE_OBJECT | typeof CLOSE_ARRAY): void {
    const json = this.#json
    const start = json.at
    json.at++
    if (json.skip(closing)) return this.#addField({ name, value: json.text.slice(start, json.at), type: 'empty' })
    if (depth >= MAX_DEPTH) return this.#fail(`the value is nested more than ${MAX_DEPTH} levels deep`, 'too-complex')
    json.at = start
    if (closing === CLOSE_OBJECT) this.#readObject(name, depth + 1)
    else this.#readArray(name, depth + 1)
  }

  #readWordOrNumber(name: string): void {
    const json = this.#json
    WORD_OR_NUMBER.lastIndex = json.at
    const match = WORD_OR_NUMBER.exec(json.text)
    if (match === null) return this.#fail('a value was expected')
    const [value] = match
    json.at += value.length
    const type = value === 'null' ? 'null' : value === 'true' || value === 'false' ? 'boolean' : 'number'
    this.#addField({ name, value, type })
  }

  #readStringField(name: string): void {
    const exact = this.#readString()
    if (this.#isPlain) return this.#addField({ name, value: exact, type: 'string' })
    // An escape can stand for half of a surrogate pair, which neither UTF-8 nor an Avro string can hold.
    const value = exact.toWellFormed()
    this.#addField(value === exact ? { name, value, type: 'string' } : { name, value, type: 'string', exact })
  }

  #readString(): string {
    const json = this.#json
    const start = json.at
    if (!json.skipString()) {
      json.at = start
      this.#fail('a string has no end')
      return ''
    }
    const content = json.text.slice(start + 1, json.at - 1)
    if (this.#isPlain || !content.includes('\\')) return content
    const quoted = json.text.slice(start, json.at).replace(CONTROL_CHARACTERS, escapeControlCharacter)
    try {
      return JSON.parse(quoted) as string
    } catch {
      json.at = start + 1
      this.#fail('a string holds an escape that JSON does not know')
      return ''
    }
  }

  #addField(field: Field): void {
    if (this.#problem) return
    this.#nameCharacters += field.name.length
    if (this.#fields.length >= this.#maxFields || this.#nameCharacters > MAX_NAME_CHARACTERS) {
      return this.#fail('there are more fields or longer names than any item has', 'too-complex')
    }
    this.#fields.push(field)
  }

  /** Keeps the first problem only. */
  #fail(expected: string, reason: JsonProblem['reason'] = 'not-json'): void {
    if (this.#problem) return
    const { at, text } = this.#json
    const detail =
      reason === 'too-complex'
        ? `${expected}, at character ${at}`
        : `${expected} at character ${at}, found "${text.slice(at, at + 12)}"`
    this.#problem = { reason, detail }
  }
}

// eslint-disable-next-line no-control-regex -- the expression matches exactly these characters
const CONTROL_CHARACTERS = /[\u0000-\u001f]/g
const escapeControlCharacter = (c: string): string => `\\u00${c.charCodeAt(0).toString(16).padStart(2, '0')}`
