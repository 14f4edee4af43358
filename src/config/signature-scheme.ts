/**
 * How a provider signs its callbacks. The set is closed: an HMAC or an Ed25519 signature over a message that a template describes,
 * a JSON Web Token with hashes of the request, or a message of Amazon SNS.
 */
import * as z from 'zod'
import type { DeepReadonly } from '../core/deep-readonly.js'
import { rule, section } from './section.js'
import { oneOf, text, textMatching, value } from './values.js'

/** Where the value of a signature, a time or a nonce stands in a request. */
export interface SignatureField {
  readonly header?: string
  /** The name of a form field or query parameter. */
  readonly parameter?: string
}

export const MESSAGE_PARTS = [
  'url',
  'url-without-query',
  'method',
  'timestamp',
  'nonce',
  'body',
  'body-sha256',
  'body-sha256-hex',
  'body-md5-hex',
  'query-sorted',
  'form-sorted',
  'form-dot',
  'parameters-ampersand',
] as const
export type MessagePart = (typeof MESSAGE_PARTS)[number]

/** A text of a template, or a part of the request that stands in its place. */
export type TemplateToken = { readonly text: string } | { readonly part: MessagePart }

const PART = /\{([a-z0-9-]+)\}/

/** @returns undefined if the template names a part that does not exist */
export const parseTemplate = (template: string): TemplateToken[] | undefined => {
  const pieces = template.split(PART)
  const tokens = pieces.map((piece, index) => (index % 2 === 0 ? { text: unescapeLineBreaks(piece) } : { part: piece }))
  const isKnown = tokens.every(
    (token) => !('part' in token) || (MESSAGE_PARTS as readonly string[]).includes(token.part),
  )
  return isKnown ? (tokens.filter((token) => token.text !== '') as TemplateToken[]) : undefined
}

const unescapeLineBreaks = (text: string): string => text.replaceAll('\\n', '\n')

const field = () =>
  section({
    header: textMatching('^[A-Za-z0-9-]+$', 'the name of a header field')
      .exactOptional()
      .describe('Name of the header field.'),
    parameter: text('the name of a parameter').exactOptional().describe('Name of the form field or query parameter.'),
  }).check(
    rule({
      holds: (keys) => 'header' in keys !== 'parameter' in keys,
      problem: 'names no place, or two; set either header or parameter',
    }),
  )

const message = () =>
  value({
    expected: `a text with parts in braces, of which there are ${MESSAGE_PARTS.join(', ')},`,
    jsonSchema: { type: 'string', minLength: 1 },
    parse: (given) => (given === '' ? undefined : parseTemplate(given)),
  })

const common = {
  signature: field().describe('Where the signature stands.'),
  message: message().describe('What is signed: text, and parts of the request in braces. \\n is a line break.'),
  timestamp: field()
    .exactOptional()
    .describe(
      'Where the time of signing stands, in Unix seconds. If left out, a request can be repeated by whoever sees it.',
    ),
  nonce: field().exactOptional().describe('Where the value stands that no other request has.'),
  prefix: text('a text').exactOptional().describe('A text in front of the signature, such as sha256= or v1=.'),
}

/** The parts that hold a parameter, wherever it stands. */
const PARAMETER_PARTS: readonly MessagePart[] = ['url', 'query-sorted', 'body', 'form-sorted', 'parameters-ampersand']
/** The parts that hold the body, or a hash of it, whatever its type. */
export const WHOLE_BODY_PARTS: readonly MessagePart[] = ['body', 'body-sha256', 'body-sha256-hex', 'body-md5-hex']
/** The parts that hold the body, or a hash of it, or its fields. */
const BODY_PARTS: readonly MessagePart[] = [...WHOLE_BODY_PARTS, 'form-sorted', 'parameters-ampersand']

/** The rules of a scheme with a message. What is not signed can be changed by whoever repeats a request. */
const messageRules = () => [
  ...(['timestamp', 'nonce'] as const).map((name) =>
    rule({
      at: [name],
      holds: ({ message: template, [name]: place }) => isSigned(template, place, name),
      problem: `is not signed; put {${name}} into message`,
    }),
  ),
  rule({
    at: ['message'],
    holds: ({ message: template }) => hasOneOf(template, BODY_PARTS) !== false,
    problem: `does not cover the body; put one of these into it: ${BODY_PARTS.join(', ')}`,
  }),
]

/** @returns undefined if the template is wrong by itself */
const hasOneOf = (template: unknown, parts: readonly MessagePart[]): boolean | undefined =>
  Array.isArray(template)
    ? (template as TemplateToken[]).some((token) => 'part' in token && parts.includes(token.part))
    : undefined

const isSigned = (template: unknown, place: unknown, part: 'timestamp' | 'nonce'): boolean => {
  if (typeof place !== 'object' || place === null) return true
  const parts = 'parameter' in place ? [part, ...PARAMETER_PARTS] : [part]
  return hasOneOf(template, parts) !== false
}

const hmac = () =>
  section({
    ...common,
    algorithm: oneOf('md5-suffix', 'md5', 'sha1', 'sha256', 'sha512').describe(
      'The hash of the HMAC. md5-suffix is the MD5 of the message followed by the key, which is no HMAC.',
    ),
    encoding: oneOf('hex', 'base64').describe('How the signature is written.'),
    bodyHash: field()
      .exactOptional()
      .describe('Where the SHA-256 of a body that is no form stands, in hexadecimal. A form is signed by its fields.'),
  }).check(...messageRules())

const ed25519 = () => section(common).check(...messageRules())

const jwt = () =>
  section({
    token: field().describe('Where the token stands. It is signed with HS256, HS384 or HS512.'),
    issuer: text('a text').exactOptional().describe('The claim iss must have this value.'),
    urlHash: text('the name of a claim').describe('The claim with the SHA-256 of the URL, in hexadecimal.'),
    payloadHash: text('the name of a claim').describe(
      'The claim with the SHA-256 of the body, in hexadecimal; absent for an empty one.',
    ),
  })

const DEFAULT_SNS_HOST = 'sns.{region}.amazonaws.com'

const sns = () =>
  section({
    host: textMatching(
      '^[a-z0-9.{}-]+(:[0-9]{1,5})?$',
      `a host such as ${DEFAULT_SNS_HOST}, in which {region} stands for the region of the topic,`,
    )
      .prefault(DEFAULT_SNS_HOST)
      .describe(
        'The only host that certificates are fetched from and subscriptions confirmed at, by HTTPS. {region} stands for the region of the topic.',
      ),
  })

const SCHEMES = ['hmac', 'ed25519', 'jwt', 'sns'] as const

export const signatureScheme = () =>
  section({
    hmac: hmac().exactOptional().describe('A keyed hash of the message; `signingKey` is the key.'),
    ed25519: ed25519()
      .exactOptional()
      .describe(
        "An Ed25519 signature of the message, in Base64; `signingKey` is the provider's public key, in Base64.",
      ),
    jwt: jwt().exactOptional().describe('A JSON Web Token with hashes of the request; `signingKey` is its key.'),
    sns: sns()
      .exactOptional()
      .describe('Amazon SNS signs the callbacks with a certificate; `topicArns` are the topics that are accepted.'),
  }).check(
    rule({
      holds: (keys) => SCHEMES.filter((scheme) => scheme in keys).length === 1,
      problem: `names no scheme, or several; set one of ${SCHEMES.join(', ')}`,
    }),
  )

export type SignatureScheme = DeepReadonly<z.output<ReturnType<typeof signatureScheme>>>
export type HmacScheme = NonNullable<SignatureScheme['hmac']>
export type Ed25519Scheme = NonNullable<SignatureScheme['ed25519']>
export type JwtScheme = NonNullable<SignatureScheme['jwt']>

/** The ARN of a topic, in the partitions of AWS whose hosts are below amazonaws.com. */
export const TOPIC_ARN_PATTERN = '^arn:aws(-us-gov)?:sns:[a-z]{2}(-[a-z]+)+-[0-9]{1,2}:[0-9]{12}:[A-Za-z0-9_.-]{1,261}$'

const ED25519_KEY_BYTES = 32

/** Whether a text is a public key of Ed25519 (RFC 8032), in Base64. */
export const isEd25519PublicKey = (given: unknown): boolean =>
  typeof given === 'string' &&
  /^[A-Za-z0-9+/]+={0,2}$/.test(given) &&
  Buffer.from(given, 'base64').length === ED25519_KEY_BYTES
