/** Masks phone numbers and texts of people in the log and in what commands print. */
import { maskText } from './record-fields.js'

/** Whether the log shows phone numbers and texts of people: the values of `log.personalData` of the configuration. */
export const PERSONAL_DATA = ['masked', 'plain'] as const
export type PersonalData = (typeof PERSONAL_DATA)[number]

/** Prepares values that may identify people for the log. */
export interface PersonalDataMask {
  /** A phone number, or the name or short code that a provider sent in its place. */
  readonly number: (text: string | null) => string | null
  /** The text of an inbound message. */
  readonly text: (text: string | null) => string | null
  /** A sentence, of a provider or of the connector, that may contain phone numbers. */
  readonly sentence: (text: string) => string
}

export const personalDataMask = (mode: PersonalData): PersonalDataMask =>
  mode === 'plain'
    ? { number: (text) => text, text: (text) => text, sentence: (text) => text }
    : { number: maskNumber, text: (text) => (text === null ? null : maskText(text)), sentence: maskNumbersIn }

/**
 * `+33612345678` becomes `+336*****678`: enough to recognise a number among few, not enough to call it. At most a third
 * is shown at the beginning and a quarter at the end, so little of a short code is shown, and nothing of a very short one.
 */
export const maskNumber = (text: string | null): string | null => {
  if (text === null) return null
  const start = Math.min(4, Math.floor(text.length / 3))
  const end = text.length - Math.min(3, Math.floor(text.length / 4))
  return text.slice(0, start) + '*'.repeat(end - start) + text.slice(end)
}

/**
 * Matches 9 to 15 digits, the length of a number with its country code, with spaces or dots between the digits. Times and
 * sizes are shorter.
 */
const NUMBER = /(?<![\w.:-])(?:\+|00)?\d(?:[ .]?\d){8,14}(?![\w:-])/g

const maskNumbersIn = (text: string): string => text.replace(NUMBER, (number) => maskNumber(number) ?? '')
