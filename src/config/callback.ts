/** `callback` of a source: which callers are accepted. A caller must satisfy everything that is configured. */
import { isIP } from 'node:net'
import { providersWith, type ProviderTraits } from './provider-traits.js'
import { rule, section, type Keys } from './section.js'
import { MAX_AGE, baseUrl, boolean, duration, list, text, textMatching, value } from './values.js'

const token = () =>
  textMatching(
    '^(?!\\.{1,2}$)[A-Za-z0-9._~-]{1,200}$',
    'a token of 1 to 200 letters, digits, "-", ".", "_" and "~" (it is part of a URL; "openssl rand -hex 32" makes one)',
  )

/** An address, or a network as address/prefix. The result is always address/prefix. */
const network = () =>
  value({
    expected: 'an IP address or a network such as 192.0.2.0/24 or 2001:db8::/32',
    jsonSchema: { type: 'string', pattern: '^[0-9A-Fa-f:.]+(/[0-9]{1,3})?$|\\$\\{' },
    parse: (given) => {
      const [address = '', prefix, ...rest] = given.split('/')
      const family = isIP(address)
      if (family === 0 || rest.length > 0 || address.includes('%')) return undefined
      if (prefix !== undefined && !/^[0-9]{1,3}$/.test(prefix)) return undefined
      const addressBits = family === 4 ? 32 : 128
      const bits = prefix === undefined ? addressBits : Number(prefix)
      // The first 96 bits of an IPv4-mapped IPv6 address are constant; a shorter prefix would match no IPv4 address.
      if (/^::ffff:[0-9.]+$/i.test(address) && bits < 96) return undefined
      return bits <= addressBits ? `${address}/${bits}` : undefined
    },
  })

export const signsCallbacks = (traits: ProviderTraits): boolean => traits.signsCallbacks

const GUARDS = ['token', 'basic', 'signingKey', 'allowFrom']
const isGuarded = (callback: Keys): boolean => GUARDS.some((key) => key in callback)
const mayBeOpen = ({ open }: Keys): boolean => open !== false && open !== undefined

/** The rules of the section guarantee that a signing key comes with a public URL. */
type WithSigning<T> = Omit<T, 'signingKey' | 'publicUrl'> &
  ({ signingKey: string; publicUrl: string } | { signingKey?: undefined; publicUrl?: string })

export const callback = () =>
  section({
    token: token()
      .exactOptional()
      .describe(
        'Secret last part of the URL: /callbacks/<source>/<token>. It consists of letters, digits, "-", ".", "_" and "~".',
      ),
    basic: section({
      username: textMatching('^[^:\\u0000-\\u001f\\u007f]+$', 'a user name without ":"').describe(
        'User name, without ":".',
      ),
      password: text().describe('Password.'),
    })
      .exactOptional()
      .describe('HTTP Basic credentials that the caller must send.'),
    signingKey: text()
      .exactOptional()
      .describe(
        `Key that seven signs its webhooks with (X-Signature, X-Timestamp, X-Nonce). Requires \`publicUrl\`. Provider ${providersWith(signsCallbacks)} only.`,
      ),
    publicUrl: baseUrl('the http:// or https:// address by which the provider reaches this connector')
      .exactOptional()
      .describe(
        'Origin and path prefix by which the provider reaches the connector, for instance https://sms.example.com. Path and query of the request are appended. The signature covers this address.',
      ),
    signatureMaxAge: duration({ min: '1s', max: MAX_AGE, default: '96h' }).describe(
      'Age of the oldest X-Timestamp that is accepted, and how long a nonce is remembered. The default is long because seven repeats a webhook for days and may not sign it again.',
    ),
    allowFrom: list(network(), { minItems: 1 })
      .exactOptional()
      .describe('Addresses and networks (CIDR, IPv4 or IPv6) that callbacks are accepted from.'),
    open: boolean()
      .prefault(false)
      .describe('Set to true to accept every caller. Allowed only without token, basic, signingKey and allowFrom.'),
  })
    .check(
      rule({
        holds: (keys) => isGuarded(keys) || mayBeOpen(keys),
        problem: `authenticates no caller; set at least one of ${GUARDS.join(', ')}, or open: true to accept every caller`,
      }),
      rule({
        at: ['open'],
        holds: (keys) => keys['open'] !== true || !isGuarded(keys),
        problem: `contradicts ${GUARDS.join(', ')} in the same section; remove one or the other`,
      }),
      rule({
        at: ['publicUrl'],
        holds: (keys) => !('signingKey' in keys) || 'publicUrl' in keys,
        problem:
          'is missing; signingKey needs it, because the signature covers the address that the provider called, which is not known behind a proxy',
      }),
    )
    .transform((keys) => keys as WithSigning<typeof keys>)
