/** Fields of a query or of a form body (`application/x-www-form-urlencoded`), in the order sent. Never throws. */
import { utf8, type ReadText } from './charset.js'
import type { Field } from './fields.js'

const NOT_PLAIN = /[%+\u0080-\uffff]/
const NOT_ASCII = /[\u0080-\uffff]/

/**
 * @param text one character a byte, as Node gives a request line and `latin1` gives a body
 * @param read how bytes above 0x7f are read, percent-encoded or not
 */
export const formFields = (text: string, read: ReadText = utf8): Field[] => {
  const fields: Field[] = []
  let at = 0
  while (at < text.length) {
    let end = text.indexOf('&', at)
    if (end < 0) end = text.length
    if (end > at) {
      // Not looked for behind the part: a body without any would be read to its end for each.
      const part = text.slice(at, end)
      const equals = part.indexOf('=')
      fields.push({
        name: component(equals < 0 ? part : part.slice(0, equals), read),
        value: equals < 0 ? '' : component(part.slice(equals + 1), read),
        type: 'string',
      })
    }
    at = end + 1
  }
  return fields
}

const component = (sent: string, read: ReadText): string => {
  if (!NOT_PLAIN.test(sent)) return sent
  const text = sent.replaceAll('+', ' ')
  if (read === utf8 && !NOT_ASCII.test(text)) {
    try {
      return decodeURIComponent(text)
    } catch {
      // A stray percent sign, or bytes that are no UTF-8.
    }
  }
  return read(unescape(text))
}

/** A percent sign without two hexadecimal digits stands for itself. */
const unescape = (text: string): Uint8Array => {
  const bytes = Buffer.allocUnsafe(text.length * 3)
  let length = 0
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    const escaped = code === 0x25 ? hexByte(text, i + 1) : -1
    if (escaped >= 0) {
      bytes[length++] = escaped
      i += 2
    } else if (code < 0x100) bytes[length++] = code
    else {
      const character = String.fromCodePoint(text.codePointAt(i) as number)
      length += bytes.write(character, length)
      i += character.length - 1
    }
  }
  return bytes.subarray(0, length)
}

const hexByte = (text: string, at: number): number => {
  const digits = text.slice(at, at + 2)
  return /^[0-9a-fA-F]{2}$/.test(digits) ? Number.parseInt(digits, 16) : -1
}
