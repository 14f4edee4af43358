/** Turns an answer of a provider into what the journal and the log need. Polling and reconciliation share it. */
import type { RequestFacts } from '../core/received.js'
import type { HttpAnswer } from './connection.js'
import { responseFacts } from './malformed-answer.js'
import { quote } from '../masking/known-secrets.js'

/**
 * Returns the facts that the journal keeps of a request and its answer.
 * @param secrets values that must not enter the journal, even if the configured address holds them
 */
export const answerFacts = (answer: HttpAnswer, method: string, url: URL, secrets: readonly string[]): RequestFacts => {
  return {
    method,
    path: url.pathname,
    query: withoutSecrets(url.search.slice(1), secrets),
    ...responseFacts(answer.status, answer.headers),
    ...(answer.truncatedBy === null ? {} : { complete: 'false' }),
    ...(answer.malformed === null ? {} : { 'framing-error': answer.malformed.error }),
  }
}

/** Empties every parameter whose decoded value contains a secret. */
const withoutSecrets = (query: string, secrets: readonly string[]): string => {
  if (query === '') return ''
  const secretValues = secrets.filter((secret) => secret !== '')
  return query
    .split('&')
    .map((parameter) => {
      const [, value = ''] = [...new URLSearchParams(parameter)][0] ?? []
      const isSecret = secretValues.some((secret) => value.includes(secret))
      return isSecret ? `${parameter.slice(0, parameter.indexOf('='))}=` : parameter
    })
    .join('&')
}

/**
 * Returns the end of an error message that says where a redirect points, without the query of its target, which may hold
 * credentials. Returns an empty string for an answer that is not a redirect.
 * @param key the configuration key, within the source, that holds the address
 */
export const describeRedirect = (answer: HttpAnswer, requested: URL, key: string): string => {
  if (answer.status === null || answer.status < 300 || answer.status > 399) return ''
  const location = answer.headers['location']
  const isReadable = location !== undefined && URL.canParse(location, requested.href)
  const target = isReadable ? new URL(location, requested) : undefined
  const destination = target === undefined ? '' : ` to ${quote(target.origin + target.pathname)}`
  return `; a redirect${destination} is not followed, set ${key} to the right address`
}

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
