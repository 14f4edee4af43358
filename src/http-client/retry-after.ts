/**
 * `Retry-After` (RFC 9110, 10.2.3) as milliseconds from now: seconds, or an HTTP date. 0 if it is absent or malformed.
 * @param now milliseconds since the epoch
 */
export const parseRetryAfter = (value: string | undefined, now: number): number => {
  const text = value?.trim() ?? ''
  if (/^\d{1,9}$/.test(text)) return Number(text) * 1_000
  const at = /\d{2}:\d{2}:\d{2}/.test(text) ? Date.parse(text) : Number.NaN
  return Number.isNaN(at) ? 0 : Math.max(0, at - now)
}
