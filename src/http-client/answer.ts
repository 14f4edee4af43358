/** An answer of a provider as it goes into the journal. */
import type { RequestFacts } from '../core/received.js'
import type { HttpAnswer } from './connection.js'

/** @param secrets values that must not be found in the journal, whoever put them into the address */
export const answerFacts = (answer: HttpAnswer, method: string, url: URL, secrets: readonly string[]): RequestFacts => {
  const type = answer.headers['content-type']
  const encoding = answer.headers['content-encoding']
  return {
    method,
    path: url.pathname,
    query: withoutCredentials(url.search.slice(1), secrets),
    ...(type === undefined ? {} : { 'content-type': type }),
    ...(encoding === undefined ? {} : { 'content-encoding': encoding }),
    status: String(answer.status),
    ...(answer.truncatedBy === null ? {} : { complete: 'false' }),
  }
}

/** Parameters of the address whose value is, or holds, a secret lose it. */
const withoutCredentials = (query: string, secrets: readonly string[]): string => {
  if (query === '') return ''
  const secret = secrets.filter((value) => value !== '')
  return query
    .split('&')
    .map((part) => {
      const [, value = ''] = [...new URLSearchParams(part)][0] ?? []
      return secret.some((each) => value.includes(each)) ? `${part.slice(0, part.indexOf('='))}=` : part
    })
    .join('&')
}

/** `{"results":[]}` without a content coding: the one answer that holds nothing and needs no custody. */
export const isEmptyPage = (answer: HttpAnswer): boolean =>
  answer.truncatedBy === null &&
  answer.headers['content-encoding'] === undefined &&
  answer.body.byteLength < 256 &&
  Buffer.from(answer.body.buffer, answer.body.byteOffset, answer.body.byteLength)
    .toString('latin1')
    .replaceAll(/[ \t\r\n]/g, '') === '{"results":[]}'

/**
 * Where a redirect points, as far as it may be shown; '' for other answers.
 * @param key of the source in the configuration
 */
export const describeRedirect = (answer: HttpAnswer, asked: URL, key = 'pull.url'): string => {
  if (answer.status < 300 || answer.status > 399) return ''
  const location = answer.headers['location']
  const target = location !== undefined && URL.canParse(location, asked.href) ? new URL(location, asked) : undefined
  const where = target === undefined ? '' : ` to ${target.origin}${target.pathname}`
  return `; a redirect${where} is not followed, set ${key} to the right address`
}
