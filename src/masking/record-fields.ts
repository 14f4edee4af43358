/** What records hold of people: fields that are masked or left out, and keys that are hashed. */
import { createHmac } from 'node:crypto'

/** The values of `records.mo.text` and the like. */
export const RECORD_FIELD_MODES = ['plain', 'masked', 'omitted'] as const
export type RecordFieldMode = (typeof RECORD_FIELD_MODES)[number]

/** What becomes of a text of a person: itself, its length, or nothing. */
export const presentText = (text: string, mode: RecordFieldMode): string => {
  if (mode === 'plain') return text
  return mode === 'masked' ? maskText(text) : ''
}

/** As `presentText` for each value. Nothing is left if they are omitted. */
export const presentFields = (
  fields: Readonly<Record<string, string>>,
  mode: RecordFieldMode,
): Readonly<Record<string, string>> => {
  if (mode === 'plain') return fields
  if (mode === 'omitted') return {}
  return Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, maskText(value)]))
}

export const maskText = (text: string): string => `(${text.length} characters)`

const HASH_DIGITS = 32
const HASHED_KEY = new RegExp(`^[0-9a-f]{${HASH_DIGITS}}$`)

/** Returns 32 hexadecimal digits that stand for a number: the first 128 bits of its HMAC-SHA-256 (RFC 2104). */
export const hashNumber = (number: string, secret: string): string =>
  createHmac('sha256', secret).update(number).digest('hex').slice(0, HASH_DIGITS)

/** Whether a record key has the form that `hashNumber` returns. */
export const isHashedNumber = (key: string): boolean => HASHED_KEY.test(key)
