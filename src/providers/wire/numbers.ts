/** Phone numbers as consumers see them. */

const SEPARATORS = /[\s().\-/\u00a0]/g

/**
 * International forms, `+…` and `00…`, and 9 to 15 bare digits not beginning with 0 become `+digits`; anything else
 * (short codes, names, national numbers) is returned as sent.
 *
 * A blank in front is what becomes of a `+` that was put into a URL without being escaped; both read the same.
 */
export const phoneNumber = (sent: string): string => {
  const text = sent.trim()
  if (/^[1-9][0-9]{8,14}$/.test(text)) return `+${text}`
  if (!text.startsWith('+') && !text.startsWith('00')) return sent
  const digits = /^(?:\+|00)([1-9][0-9]*)$/.exec(text.replace(SEPARATORS, ''))?.[1]
  return digits === undefined ? sent : `+${digits}`
}
