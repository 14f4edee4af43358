/**
 * Reads the fields of a query or of a form body (`application/x-www-form-urlencoded`), in the order sent. Never throws.
 */
import type { DeadLetterItem } from '../provider.js'
import { readLatin1, readUtf8, type ReadText } from './charset.js'
import { deadLetter } from './dead-letter.js'
import type { Field } from './fields.js'

const NEEDS_DECODING = /[%+\u0080-\uffff]/
const NOT_ASCII = /[\u0080-\uffff]/

/** More fields than the largest batch of reports in one form has. Compressed, a megabyte could hold more than memory does. */
const MAX_FORM_FIELDS = 262_144

/**
 * Reads the fields of a form body.
 * @param content the bytes of the form
 * @param body what was received
 * @returns a dead letter with the whole body if the form has more fields than any callback
 */
export const readFormBody = (content: Uint8Array, readText: ReadText, body: Uint8Array): Field[] | DeadLetterItem => {
  const text = readLatin1(content)
  if (!hasMoreFieldsThan(MAX_FORM_FIELDS, text)) return formFields(text, readText)
  return deadLetter('too-complex', `the form has more than ${MAX_FORM_FIELDS} fields`, body)
}

/** Whether a form or query may have more fields than `max`, without reading them. */
export const hasMoreFieldsThan = (max: number, form: string): boolean => {
  let count = 1
  for (let at = form.indexOf('&'); at >= 0; at = form.indexOf('&', at + 1)) {
    count++
    if (count > max) return true
  }
  return false
}

/**
 * @param text one character for each byte, as Node gives a request line and `readLatin1` gives a body
 * @param readText reads the bytes of a name or value, whether they were percent-encoded or not
 */
export const formFields = (text: string, readText: ReadText = readUtf8): Field[] => {
  const fields: Field[] = []
  let start = 0
  while (start < text.length) {
    const ampersand = text.indexOf('&', start)
    const end = ampersand < 0 ? text.length : ampersand
    if (end > start) {
      // The search for `=` is limited to this part. In a body without `=` it would otherwise run to the end every time.
      const part = text.slice(start, end)
      const equals = part.indexOf('=')
      fields.push({
        name: decodeComponent(equals < 0 ? part : part.slice(0, equals), readText),
        value: equals < 0 ? '' : decodeComponent(part.slice(equals + 1), readText),
        type: 'string',
      })
    }
    start = end + 1
  }
  return fields
}

const decodeComponent = (sent: string, readText: ReadText): string => {
  if (!NEEDS_DECODING.test(sent)) return sent
  const text = sent.replaceAll('+', ' ')
  if (readText === readUtf8 && !NOT_ASCII.test(text)) {
    try {
      return decodeURIComponent(text)
    } catch {
      // The text has a stray percent sign, or its bytes are not valid UTF-8.
    }
  }
  return readText(percentDecode(text))
}

/** A percent sign without two hexadecimal digits behind it stands for itself. */
const percentDecode = (text: string): Uint8Array => {
  const bytes = Buffer.allocUnsafe(text.length * 3)
  let length = 0
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    const escaped = code === 0x25 ? hexByte(text, i + 1) : -1
    if (escaped >= 0 || code < 0x100) {
      bytes[length] = escaped >= 0 ? escaped : code
      length++
      if (escaped >= 0) i += 2
    } else {
      const character = String.fromCodePoint(text.codePointAt(i) as number)
      length += bytes.write(character, length)
      i += character.length - 1
    }
  }
  return bytes.subarray(0, length)
}

/** @returns -1 if these are not two hexadecimal digits */
const hexByte = (text: string, at: number): number => {
  const digits = text.slice(at, at + 2)
  return /^[0-9a-fA-F]{2}$/.test(digits) ? Number.parseInt(digits, 16) : -1
}
