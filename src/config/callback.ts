/** `callback` of a source: which callers are accepted. A caller must satisfy everything that is configured. */
import { isIP } from 'node:net'
import { providersWith, type ProviderTraits } from './provider-traits.js'
import { TOPIC_ARN_PATTERN } from './signature-scheme.js'
import { rule, section, type Keys } from './section.js'
import {
  MAX_AGE,
  baseUrl,
  boolean,
  duration,
  list,
  oneOrTwo,
  textKind,
  textMatching,
  textMatchingKind,
  value,
  wholeNumber,
} from './values.js'

const TOKEN = textMatchingKind(
  '^(?!\\.{1,2}$)[A-Za-z0-9._~-]{1,200}$',
  'a token of 1 to 200 letters, digits, "-", ".", "_" and "~" (it is part of a URL; "openssl rand -hex 32" makes one)',
)
const DURING_ROTATION = 'A list of two makes either valid while it is rotated.'

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

/** Whether the provider signs its callbacks with a key that the configuration has. */
export const signsCallbacks = ({ signature }: ProviderTraits): boolean =>
  signature !== undefined && signature.sns === undefined
export const sendsBySns = ({ signature }: ProviderTraits): boolean => signature?.sns !== undefined

const GUARDS = ['token', 'basic', 'signingKey', 'topicArns', 'allowFrom']
const isGuarded = (callback: Keys): boolean => GUARDS.some((key) => key in callback)
const mayBeOpen = ({ open }: Keys): boolean => open !== false && open !== undefined

/** The rules of the section guarantee that a signing key comes with a public URL. */
type WithSigning<T> = Omit<T, 'signingKey' | 'publicUrl'> &
  ({ signingKey: readonly string[]; publicUrl: string } | { signingKey?: undefined; publicUrl?: string })

/** The body of an answer is sent for each callback, so it is short. */
const MAX_ANSWER_BODY_BYTES = 4_096

const answerBody = () =>
  value({
    expected: `a text of 1 to ${MAX_ANSWER_BODY_BYTES} bytes`,
    jsonSchema: { type: 'string', minLength: 1, maxLength: MAX_ANSWER_BODY_BYTES },
    parse: (given) =>
      given !== '' && given.isWellFormed() && Buffer.byteLength(given) <= MAX_ANSWER_BODY_BYTES ? given : undefined,
  })

/** The characters of a token of RFC 9110, section 5.6.2. */
const HTTP_TOKEN = "[A-Za-z0-9!#$%&'*+.^_`|~-]+"

/** RFC 9110, section 8.3.1. */
const MEDIA_TYPE = textMatchingKind(
  `^${HTTP_TOKEN}/${HTTP_TOKEN}( *; *${HTTP_TOKEN}=(${HTTP_TOKEN}|"[ !#-\\[\\]-~]*"))*$`,
  'a media type of at most 200 characters, such as text/plain or application/json; charset=utf-8,',
)
const MAX_MEDIA_TYPE_LENGTH = 200

const mediaType = () =>
  value({
    ...MEDIA_TYPE,
    jsonSchema: { ...MEDIA_TYPE.jsonSchema, maxLength: MAX_MEDIA_TYPE_LENGTH },
    parse: (given) => (given.length <= MAX_MEDIA_TYPE_LENGTH ? MEDIA_TYPE.parse(given) : undefined),
  })

/** The statuses of RFC 9110 whose answers have no body. */
const STATUSES_WITHOUT_BODY: readonly unknown[] = [204, 205]

/** The answer to a callback that is in custody. */
export const answer = () =>
  section({
    status: wholeNumber({ min: 200, max: 299, default: 200 }).describe('HTTP status of the answer.'),
    contentType: mediaType()
      .exactOptional()
      .describe('Content-Type of the answer; requires `body`. If left out, text/plain; charset=utf-8.'),
    body: answerBody().exactOptional().describe('Body of the answer. If left out, the answer has none.'),
  }).check(
    rule({
      at: ['contentType'],
      holds: (keys) => !('contentType' in keys) || 'body' in keys,
      problem: 'describes a body that the answer does not have; add body, or remove contentType',
    }),
    rule({
      at: ['body'],
      holds: ({ status, body }) => body === undefined || !STATUSES_WITHOUT_BODY.includes(status),
      problem: 'is never sent with this status; remove it, or choose another status than 204 and 205',
    }),
  )

export const callback = () =>
  section({
    token: oneOrTwo(TOKEN)
      .exactOptional()
      .describe(
        `Secret last part of the URL: /callbacks/<source>/<token>. It consists of letters, digits, "-", ".", "_" and "~". ${DURING_ROTATION}`,
      ),
    basic: section({
      username: textMatching('^[^:\\u0000-\\u001f\\u007f]+$', 'a user name without ":"').describe(
        'User name, without ":".',
      ),
      password: oneOrTwo(textKind()).describe(`Password. ${DURING_ROTATION}`),
    })
      .exactOptional()
      .describe('HTTP Basic credentials that the caller must send.'),
    signingKey: oneOrTwo(textKind())
      .exactOptional()
      .describe(
        `Key of the signature of the provider, for a provider that signs its callbacks. Requires \`publicUrl\`. ${DURING_ROTATION} Of the coded providers: ${providersWith(signsCallbacks)}.`,
      ),
    topicArns: list(
      textMatching(TOPIC_ARN_PATTERN, 'the ARN of a topic such as arn:aws:sns:eu-west-1:123456789012:sms'),
      { minItems: 1 },
    )
      .exactOptional()
      .describe(
        'The topics of Amazon SNS that callbacks are accepted from, by their ARN, for a provider whose callbacks come by SNS. Their signatures are verified, and their subscriptions confirmed.',
      ),
    publicUrl: baseUrl('the http:// or https:// address by which the provider reaches this connector')
      .exactOptional()
      .describe(
        'Origin and path prefix by which the provider reaches the connector, for instance https://sms.example.com. Path and query of the request are appended. The signature covers this address.',
      ),
    signatureMaxAge: duration({ min: '1s', max: MAX_AGE, default: '96h' }).describe(
      'Age of the oldest signature that is accepted, and how long its nonce is remembered. The default is long because a provider may repeat a webhook for days without signing it again.',
    ),
    allowFrom: list(network(), { minItems: 1 })
      .exactOptional()
      .describe('Addresses and networks (CIDR, IPv4 or IPv6) that callbacks are accepted from.'),
    open: boolean()
      .prefault(false)
      .describe(
        'Set to true to accept every caller. Allowed only without token, basic, signingKey, topicArns and allowFrom.',
      ),
    answer: answer()
      .exactOptional()
      .describe(
        'Answer to a callback that is in custody, for a provider that repeats its calls until it reads what it expects. If left out, what the provider expects as far as that is known, else 200 without a body.',
      ),
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
