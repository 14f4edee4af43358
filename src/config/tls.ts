/** Certificates and keys: as PEM text, or as the path of a file that is read when the configuration is loaded. */
import { readFileSync } from 'node:fs'
import { X509Certificate } from 'node:crypto'
import { createSecureContext } from 'node:tls'
import * as z from 'zod'
import type { FieldIssue } from './field.js'
import { text } from './field.js'
import { orInSchema } from './json-schema.js'
import { rule, section } from './section.js'
import { whyUnreadable } from './substitute.js'

const BEGIN = '-----BEGIN'

const pem = (what: string) =>
  z
    .unknown()
    .transform((given, context): string => {
      const refuse = (found: string): never => {
        const params: FieldIssue = { expected: `${what} as PEM text, or the path of a file that holds it,`, found }
        context.addIssue({ code: 'custom', message: found, params: { ...params } })
        return z.NEVER
      }
      if (typeof given !== 'string' || given === '') return refuse('')
      if (given.trimStart().startsWith(BEGIN)) return given
      try {
        const content = readFileSync(given, 'utf8')
        return content.includes(BEGIN) ? content : refuse('a file without PEM text')
      } catch (error) {
        return refuse(`a file that ${whyUnreadable(error)}`)
      }
    })
    .meta({ type: 'string', minLength: 1 })

interface Material {
  readonly ca?: unknown
  readonly clientCa?: unknown
  readonly cert?: unknown
  readonly key?: unknown
}

const isPem = (value: unknown): value is string => typeof value === 'string'

/** Asks OpenSSL, so that a broken file is told of at start and not as "unreachable" at the first connection. */
const isAccepted = (attempt: () => unknown): boolean => {
  try {
    attempt()
    return true
  } catch {
    return false
  }
}

const CERTIFICATES = /-----BEGIN CERTIFICATE-----[^]*?-----END CERTIFICATE-----/g

/** A secure context would pass over what it can't read among its authorities. */
const areCertificates = (pem: string): boolean => {
  const begun = pem.match(/-----BEGIN /g)?.length
  const blocks = pem.match(CERTIFICATES) ?? []
  return blocks.length === begun && blocks.every((block) => isAccepted(() => new X509Certificate(block)))
}

const goTogether = rule<Material>(
  "cert and key can't be used together: they must be readable PEM, without passphrase, and belong to each other",
  [],
  ({ cert, key }) => !isPem(cert) || !isPem(key) || isAccepted(() => createSecureContext({ cert, key })),
)

const usableCa = (name: 'ca' | 'clientCa') =>
  rule<Material>('holds something else than readable certificates in PEM', [name], (material) => {
    const ca = material[name]
    return !isPem(ca) || areCertificates(ca)
  })

/** How we connect to brokers: `true`, or a section. Present in the result wherever TLS is on. */
export const clientTls = () => {
  const keys = section({
    ca: pem('certificates')
      .exactOptional()
      .describe('Certificates of the authorities that the brokers are trusted by. Left out: those that Node.js knows.'),
    cert: pem('a certificate').exactOptional().describe('Our certificate, where brokers ask for one; with `key`.'),
    key: pem('a private key').exactOptional().describe('Private key of `cert`, without passphrase.'),
    serverName: text('a host name')
      .exactOptional()
      .describe(
        'Name to ask for (SNI) and to check certificates against, where it differs from the address in `brokers`.',
      ),
  })
    .check(
      rule<Material>(
        'cert and key must both be given, or neither',
        [],
        ({ cert, key }) => (cert === undefined) === (key === undefined),
      ),
    )
    .check(goTogether, usableCa('ca'))
  const given = z.preprocess((value) => (value === true || value === 'true' ? {} : value), keys)
  return given.meta(orInSchema({ const: true, description: 'TLS with the authorities that Node.js knows.' }))
}

/** How we are connected to. */
export const serverTls = () =>
  section({
    cert: pem('a certificate').describe('Certificate of this server with its chain: PEM text or the path of a file.'),
    key: pem('a private key').describe('Private key of `cert`, without passphrase: PEM text or the path of a file.'),
    clientCa: pem('certificates')
      .exactOptional()
      .describe('Certificates of authorities: callers must then show a certificate by one of them.'),
  }).check(goTogether, usableCa('clientCa'))
