const SEPARATORS = /[\s().\-/\u00a0]/g

/**
 * Writes a phone number as `+` and digits if it is certain to be an international one: if it begins with `+` or `00`,
 * or consists of 9 to 15 digits and does not begin with 0. Anything else (short codes, names, national numbers) is
 * returned as sent.
 *
 * White space in front is ignored, because a `+` that is put into a URL without being escaped is read as a space.
 */
export const normalizePhoneNumber = (sent: string): string => {
  const text = sent.trim()
  if (/^[1-9][0-9]{8,14}$/.test(text)) return `+${text}`
  if (!text.startsWith('+') && !text.startsWith('00')) return sent
  const digits = /^(?:\+|00)([1-9][0-9]*)$/.exec(text.replace(SEPARATORS, ''))?.[1]
  return digits === undefined ? sent : `+${digits}`
}
