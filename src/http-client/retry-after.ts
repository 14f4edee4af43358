/**
 * Returns the delay that a `Retry-After` header (RFC 9110, section 10.2.3) asks for, in milliseconds from now. The header
 * holds seconds or an HTTP date. The delay is 0 if the header is absent, malformed or in the past.
 * @param now milliseconds since the epoch
 */
export const parseRetryAfter = (value: string | undefined, now: number): number => {
  const text = value?.trim() ?? ''
  if (/^\d{1,9}$/.test(text)) return Number(text) * 1_000
  // Date.parse also accepts a bare number or a year, which is no HTTP date; a time of day tells them apart.
  const date = /\d{2}:\d{2}:\d{2}/.test(text) ? Date.parse(text) : Number.NaN
  return Number.isNaN(date) ? 0 : Math.max(0, date - now)
}
