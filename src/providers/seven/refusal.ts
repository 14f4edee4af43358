/** How seven refuses a call: HTTP 200 and a bare code, as a JSON string or as text. Attested: php-client `Client.php`. */
import { latin1 } from '../wire/charset.js'
import { trimmed, type Opened } from '../wire/open.js'

const CODES: ReadonlyMap<string, string> = new Map([
  ['600', 'the call failed'],
  ['900', 'the API key is wrong'],
  ['901', 'the signing hash is wrong'],
  ['902', 'the API key lacks the rights for this call'],
  ['903', 'calls from this address are not allowed'],
])

export interface Refusal {
  /** `request`: another question, or this one for fewer messages, may be answered. */
  readonly about: 'account' | 'request'
  readonly detail: string
}

/** What the provider says no with; undefined when the answer is none of its refusals. */
export const refusal = (status: string | undefined, opened: Opened): Refusal | undefined => {
  const content = trimmed(opened.bytes)
  const code = content.length > 8 ? undefined : /^"?([0-9]{3})"?$/.exec(latin1(content))?.[1]
  if (code !== undefined) {
    const detail = `seven answered ${code}: ${CODES.get(code) ?? 'a code that is not documented'}`
    return { about: /^90[0-3]$/.test(code) ? 'account' : 'request', detail }
  }
  if (status === undefined || /^2[0-9]{2}$/.test(status)) return undefined
  return { about: aboutOf(status), detail: `seven answered with HTTP status ${status}` }
}

/** Of the 4xx, these speak of the key or the pace and not of the question; a redirect or a 5xx speaks of neither. */
const aboutOf = (status: string): Refusal['about'] =>
  /^4/.test(status) && !/^(401|402|403|407|408|425|429)$/.test(status) ? 'request' : 'account'
