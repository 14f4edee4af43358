/** Certificates and keys: PEM text, or the path of a file that is read when the configuration is loaded. */
import { X509Certificate } from 'node:crypto'
import { createSecureContext } from 'node:tls'
import * as z from 'zod'
import { alternativeForm } from './json-schema.js'
import { readConfigFile } from './read-file.js'
import { rule, section } from './section.js'
import { describeReadError } from './substitute.js'
import { refuseValue, text } from './values.js'

const PEM_START = '-----BEGIN'

const pem = (description: string) =>
  z
    .unknown()
    .transform((given, context): string => {
      const expected = `${description} as PEM text, or the path of a file that contains it,`
      if (typeof given !== 'string' || given === '') return refuseValue(context, { expected })
      if (given.trimStart().startsWith(PEM_START)) return given
      try {
        const content = readConfigFile(given).toString('utf8')
        if (content.includes(PEM_START)) return content
        return refuseValue(context, { expected, found: 'a file without PEM text' })
      } catch (error) {
        return refuseValue(context, { expected, found: `a file that ${describeReadError(error)}` })
      }
    })
    .meta({ type: 'string', minLength: 1 })

const isText = (value: unknown): value is string => typeof value === 'string'

/** Whether OpenSSL accepts the material: a broken file is reported at start, not as "unreachable" at the first connection. */
const isAccepted = (attempt: () => unknown): boolean => {
  try {
    attempt()
    return true
  } catch {
    return false
  }
}

const CERTIFICATES = /-----BEGIN CERTIFICATE-----[^]*?-----END CERTIFICATE-----/g

/** Each certificate is parsed by itself, because a secure context ignores authorities that it can't read. */
const areCertificates = (content: string): boolean => {
  const begun = content.match(/-----BEGIN /g)?.length
  const blocks = content.match(CERTIFICATES) ?? []
  return blocks.length === begun && blocks.every((block) => isAccepted(() => new X509Certificate(block)))
}

const certAndKeyMatch = rule({
  holds: ({ cert, key }) => !isText(cert) || !isText(key) || isAccepted(() => createSecureContext({ cert, key })),
  problem:
    "cert and key can't be used together: both must be readable PEM without a passphrase, and the key must belong to the certificate",
})

const containsCertificates = (key: 'ca' | 'clientCa') =>
  rule({
    at: [key],
    holds: ({ [key]: content }) => !isText(content) || areCertificates(content),
    problem: 'contains something other than readable PEM certificates',
  })

/**
 * TLS of a client: `true`, or a section. The result is a section wherever TLS is on.
 * @param server what is connected to, and `addressKey` the key with its address, for the descriptions
 */
export const clientTls = (server: string, addressKey: string) => {
  const keys = section({
    ca: pem('certificates')
      .exactOptional()
      .describe(
        `Certificates of the authorities by which ${server} is trusted. If left out, those that Node.js trusts.`,
      ),
    cert: pem('a certificate')
      .exactOptional()
      .describe(`Client certificate, if ${server} requires one; requires \`key\`.`),
    key: pem('a private key').exactOptional().describe('Private key of `cert`, without a passphrase.'),
    serverName: text('a host name')
      .exactOptional()
      .describe(
        `Host name to request (SNI) and to verify certificates against, if it differs from that in ${addressKey}.`,
      ),
  }).check(
    rule({
      holds: ({ cert, key }) => (cert === undefined) === (key === undefined),
      problem: 'cert and key must both be given, or neither',
    }),
    certAndKeyMatch,
    containsCertificates('ca'),
  )
  return z
    .preprocess((given) => (given === true || given === 'true' ? {} : given), keys)
    .meta(alternativeForm({ const: true, description: 'TLS with the authorities that Node.js trusts.' }))
}

/** TLS of a server. */
export const serverTls = () =>
  section({
    cert: pem('a certificate').describe('Certificate of the server with its chain: PEM text or the path of a file.'),
    key: pem('a private key').describe('Private key of `cert`, without a passphrase: PEM text or the path of a file.'),
    clientCa: pem('certificates')
      .exactOptional()
      .describe('Certificates of authorities. If set, callers must present a certificate issued by one of them.'),
  }).check(certAndKeyMatch, containsCertificates('clientCa'))
