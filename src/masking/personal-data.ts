/** What a log may show of people: `log.personalData` of the configuration. */
export type PersonalData = 'masked' | 'plain'

export interface Personal {
  /** A phone number, or what a provider sent in its place. */
  readonly number: (text: string | null) => string | null
  /** What somebody wrote. */
  readonly text: (text: string | null) => string | null
  /** A sentence of a provider's or of ours that may quote numbers. */
  readonly prose: (text: string) => string
}

export const personal = (mode: PersonalData): Personal =>
  mode === 'plain'
    ? { number: (text) => text, text: (text) => text, prose: (text) => text }
    : { number: maskNumber, text: maskText, prose: maskNumbersIn }

/**
 * `+33612345678` becomes `+336*****678`: enough to find one among few, not enough to call it. At most a third is shown
 * at the beginning and a quarter at the end, so short codes keep little and very short ones nothing.
 */
export const maskNumber = (text: string | null): string | null => {
  if (text === null) return null
  const head = Math.min(4, Math.floor(text.length / 3))
  const tail = Math.min(3, Math.floor(text.length / 4))
  return text.slice(0, head) + '*'.repeat(text.length - head - tail) + text.slice(text.length - tail)
}

/** Its length in characters. */
export const maskText = (text: string | null): string | null => (text === null ? null : `(${text.length} characters)`)

/** As long as a number with its country code, spaces and dots between its digits included; times and sizes are shorter. */
const NUMBER = /(?<![\w.:-])(?:\+|00)?\d(?:[ .]?\d){8,14}(?![\w:-])/g

export const maskNumbersIn = (text: string): string => text.replace(NUMBER, (number) => maskNumber(number) ?? '')
