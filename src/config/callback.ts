/** `callback` of a source: who may hand something in, and how they prove it. All that is named must hold. */
import { BlockList, isIP } from 'node:net'
import { LONGEST_AGE, duration, field, flag, pattern, text } from './field.js'
import { baseUrl, list, rule, section } from './section.js'

const TOKEN = '^(?!\\.{1,2}$)[A-Za-z0-9._~-]{1,200}$'

const token = () =>
  pattern(
    'a token of 1 to 200 letters, digits, "-", ".", "_" and "~" (it is part of a URL; "openssl rand -hex 32" makes one)',
    TOKEN,
  )

/** An address, or a network as address/prefix; the result is always address/prefix. */
const network = () =>
  field(
    'an IP address or a network such as 192.0.2.0/24 or 2001:db8::/32',
    { type: 'string', pattern: '^[0-9A-Fa-f:.]+(/[0-9]{1,3})?$|\\$\\{' },
    (given) => {
      const [address = '', prefix, ...rest] = given.split('/')
      const family = isIP(address)
      if (family === 0 || rest.length > 0 || address.includes('%')) return undefined
      if (prefix !== undefined && !/^[0-9]{1,3}$/.test(prefix)) return undefined
      const bits = prefix === undefined ? (family === 4 ? 32 : 128) : Number(prefix)
      // An IPv4 address in IPv6 form has 96 bits that say so and nothing else.
      if (/^::ffff:[0-9.]+$/i.test(address) && bits < 96) return undefined
      return canMatch(address, bits, family) ? `${address}/${bits}` : undefined
    },
  )

const canMatch = (address: string, bits: number, family: number): boolean => {
  try {
    new BlockList().addSubnet(address, bits, family === 4 ? 'ipv4' : 'ipv6')
    return true
  } catch {
    return false
  }
}

interface CallbackKeys {
  readonly open?: unknown
  readonly [key: string]: unknown
}

const PROOFS = ['token', 'basic', 'signingKey', 'allowFrom']
const provesSomething = (callback: CallbackKeys): boolean => PROOFS.some((key) => key in callback)
const mayBeOpen = ({ open }: CallbackKeys): boolean => open !== false && open !== undefined

export const callback = () =>
  section({
    token: token()
      .exactOptional()
      .describe('Last part of the URL: /callbacks/<source>/<token>. Letters, digits, "-", ".", "_" and "~".'),
    basic: section({
      username: pattern('a user name without ":"', '^[^:\\u0000-\\u001f\\u007f]+$').describe('User name; no ":".'),
      password: text().describe('Password.'),
    })
      .exactOptional()
      .describe('HTTP Basic credentials that the caller must send.'),
    signingKey: text()
      .exactOptional()
      .describe(
        'Key that seven signs its webhooks with (X-Signature, X-Timestamp, X-Nonce). Needs `publicUrl`. Provider seven only.',
      ),
    publicUrl: baseUrl('the http:// or https:// address by which the provider reaches this connector')
      .exactOptional()
      .describe(
        'Origin and path prefix as the provider sees them, for instance https://sms.example.com; path and query of the request are appended. The signature covers it.',
      ),
    signatureMaxAge: duration('1s', LONGEST_AGE)
      .prefault('96h')
      .describe(
        'Oldest X-Timestamp that is taken, and how long a nonce is remembered. Long, because seven repeats a webhook for days and may not sign it anew.',
      ),
    allowFrom: list(network(), { least: 1 })
      .exactOptional()
      .describe('Addresses and networks (CIDR, IPv4 or IPv6) that callbacks are taken from.'),
    open: flag()
      .prefault(false)
      .describe('true: anyone may call. Only beside none of token, basic, signingKey and allowFrom.'),
  }).check(
    rule<CallbackKeys>(
      `names nothing that a caller must prove; give at least one of ${PROOFS.join(', ')}, or say open: true`,
      [],
      (keys) => provesSomething(keys) || mayBeOpen(keys),
    ),
    rule<CallbackKeys>(
      `contradicts the ${PROOFS.join(', ')} beside it; leave out one or the other`,
      ['open'],
      (keys) => keys.open !== true || !provesSomething(keys),
    ),
    rule<CallbackKeys>(
      "is missing; signingKey needs it, because the signature covers the address that the provider called, and behind a proxy we can't know that",
      ['publicUrl'],
      (keys) => !('signingKey' in keys) || 'publicUrl' in keys,
    ),
  )
