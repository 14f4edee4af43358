/** Reads the text of an inbound message that is written in another coding than the request itself. */
import { TextDecoder } from 'node:util'
import type { ItemDescription } from './description.js'
import { additionReader, type ItemFields } from './values.js'

type TextDescription = NonNullable<ItemDescription['text']>

/** @returns a clause about what is wrong in place of the text */
export type DecodeText = (sent: string, item: ItemFields) => string | { readonly problem: string }

export const textDecoder = ({ coding, charset, charsetField }: TextDescription): DecodeText => {
  if (coding === 'plain') return (sent) => sent
  const readCharset = additionReader(charsetField)
  const toBytes = TO_BYTES[coding]
  return (sent, item) => {
    const bytes = toBytes(sent)
    if (bytes === undefined) return { problem: `the text is not ${coding === 'percent' ? 'percent-encoded' : coding}` }
    const name = readCharset(item) ?? charset
    const decoder = decoderOf(name)
    if (decoder === undefined) return { problem: `the character set "${name.slice(0, 50)}" of the text is not known` }
    try {
      return decoder.decode(bytes)
    } catch {
      return { problem: `the text is not valid ${name.slice(0, 50)}` }
    }
  }
}

const decoderOf = (charset: string): TextDecoder | undefined => {
  try {
    return new TextDecoder(charset, { fatal: true })
  } catch {
    return undefined
  }
}

const readHex = (sent: string): Uint8Array | undefined =>
  /^([0-9a-fA-F]{2})*$/.test(sent) ? Buffer.from(sent, 'hex') : undefined

const readBase64 = (sent: string): Uint8Array | undefined =>
  /^[A-Za-z0-9+/]*={0,2}$/.test(sent) ? Buffer.from(sent, 'base64') : undefined

const NOT_ESCAPED = /%(?![0-9a-fA-F]{2})/
// eslint-disable-next-line no-control-regex -- a character above ASCII can't stand for a byte
const NOT_ASCII = /[^\u0000-\u007f]/

/** A plus sign stands for a space, as in forms. */
const readPercent = (sent: string): Uint8Array | undefined => {
  if (NOT_ESCAPED.test(sent) || NOT_ASCII.test(sent)) return undefined
  const latin1 = sent
    .replaceAll('+', ' ')
    .replace(/%([0-9a-fA-F]{2})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 16)))
  return Buffer.from(latin1, 'latin1')
}

const TO_BYTES = { hex: readHex, base64: readBase64, percent: readPercent } as const
