/**
 * Reads the fields of a query or of a form body (`application/x-www-form-urlencoded`), in the order sent. Never throws.
 */
import { readUtf8, type ReadText } from './charset.js'
import type { Field } from './fields.js'

const NEEDS_DECODING = /[%+\u0080-\uffff]/
const NOT_ASCII = /[\u0080-\uffff]/

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
