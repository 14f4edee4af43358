/** `kafka` and `registry`: where events go. */
import * as z from 'zod'
import { choice, duration, field, flag, pattern, size, text, wholeNumber } from './field.js'
import { baseUrl, list, rule, section, withDefaults, url } from './section.js'
import { clientTls } from './tls.js'

const BROKER = /^([A-Za-z0-9._-]+):([0-9]{1,5})$/

/** No IPv6 literal: kafkajs cuts an address at its first colon. */
const broker = () =>
  field(
    'host:port, where host is a name or an IPv4 address,',
    { type: 'string', pattern: `${BROKER.source}|\\$\\{` },
    (given) => {
      const port = Number(BROKER.exec(given)?.[2])
      return port >= 1 && port <= 65535 ? given : undefined
    },
  )

const TOPIC = '^(?!\\.{1,2}$)[A-Za-z0-9._-]{1,249}$'

/** As Kafka itself allows. */
export const topic = () => pattern('a topic name of 1 to 249 letters, digits, ".", "_" and "-"', TOPIC)

const PASSWORD_KEYS = ['username', 'password'] as const
const CLIENT_KEYS = ['tokenEndpoint', 'clientId', 'clientSecret'] as const

interface SaslKeys {
  readonly mechanism?: unknown
  readonly [key: string]: unknown
}
const byPassword = (sasl: SaslKeys): boolean => /^(plain|scram-sha-(256|512))$/.test(String(sasl.mechanism))
const byToken = (sasl: SaslKeys): boolean => sasl.mechanism === 'oauthbearer'

const needed = (key: string, mechanisms: string, applies: (sasl: SaslKeys) => boolean) =>
  rule<SaslKeys>(
    `is missing; the mechanisms ${mechanisms} need it`.replace(
      'mechanisms oauthbearer need',
      'mechanism oauthbearer needs',
    ),
    [key],
    (sasl) => !applies(sasl) || key in sasl,
  )

const foreign = (key: string, mechanisms: string, applies: (sasl: SaslKeys) => boolean) =>
  rule<SaslKeys>(
    `is for ${mechanisms} and would do nothing here; leave it out`,
    [key],
    (sasl) => !applies(sasl) || !(key in sasl),
  )

const PASSWORD_MECHANISMS = 'plain, scram-sha-256 and scram-sha-512'

const sasl = () =>
  section({
    mechanism: choice('plain', 'scram-sha-256', 'scram-sha-512', 'oauthbearer').describe(
      'How we prove who we are. oauthbearer fetches tokens by OAuth 2.0 client credentials.',
    ),
    username: text().exactOptional().describe('For plain, scram-sha-256 and scram-sha-512.'),
    password: text().exactOptional().describe('For plain, scram-sha-256 and scram-sha-512.'),
    tokenEndpoint: url()
      .exactOptional()
      .describe('For oauthbearer: where tokens are fetched, an http or https address.'),
    clientId: text().exactOptional().describe('For oauthbearer.'),
    clientSecret: text().exactOptional().describe('For oauthbearer.'),
    scope: text().exactOptional().describe('For oauthbearer, optional: scopes separated by blanks.'),
  })
    .check(...PASSWORD_KEYS.map((key) => needed(key, PASSWORD_MECHANISMS, byPassword)))
    .check(...CLIENT_KEYS.map((key) => needed(key, 'oauthbearer', byToken)))
    .check(...PASSWORD_KEYS.map((key) => foreign(key, PASSWORD_MECHANISMS, byToken)))
    .check(...[...CLIENT_KEYS, 'scope'].map((key) => foreign(key, 'oauthbearer', byPassword)))
    .transform(
      ({ mechanism, username = '', password = '', tokenEndpoint = '', clientId = '', clientSecret = '', scope }) =>
        mechanism === 'oauthbearer'
          ? { mechanism, tokenEndpoint, clientId, clientSecret, ...(scope === undefined ? {} : { scope }) }
          : { mechanism, username, password },
    )

const topics = () =>
  section({
    dlr: topic().prefault('sms.dlr').describe('Topic of delivery receipts.'),
    mo: topic().prefault('sms.mo').describe('Topic of inbound messages.'),
    deadLetter: topic()
      .prefault('sms.dead-letter')
      .describe(
        'Topic of what no event can be made of. The position in the journal is kept as an offset of its partition 0.',
      ),
  })
    .check(
      rule<{ dlr: string; mo: string }>(
        'is the same topic as dlr; the three topics must differ',
        ['mo'],
        ({ dlr, mo }) => typeof mo !== 'string' || mo !== dlr,
      ),
    )
    .check(
      rule<{ dlr: string; mo: string; deadLetter: string }>(
        'is the same topic as dlr or mo; the three topics must differ',
        ['deadLetter'],
        ({ dlr, mo, deadLetter }) => typeof deadLetter !== 'string' || (deadLetter !== dlr && deadLetter !== mo),
      ),
    )

export const kafka = () =>
  section({
    brokers: list(broker(), { least: 1 }).describe(
      'Brokers to begin with, each as host:port; the others are found through them.',
    ),
    tls: clientTls().exactOptional().describe('TLS to the brokers: true, or a section. Left out: plain connections.'),
    sasl: sasl().exactOptional().describe('Authentication at the brokers. Left out: none.'),
    topics: withDefaults(topics()).describe('Names of the three topics.'),
    createTopics: section({
      partitions: wholeNumber(1, 100_000).prefault(6).describe('Partitions of each topic that we create.'),
      replicationFactor: wholeNumber(1, 100).prefault(1).describe('Replicas of each topic that we create.'),
    })
      .exactOptional()
      .describe('Create topics that do not exist. Left out: the topics must exist.'),
    delivery: choice('exactly-once', 'at-least-once')
      .prefault('exactly-once')
      .describe(
        'exactly-once: events and the position in the journal commit in one transaction. at-least-once: no position in Kafka; an entry is released after acks=all, and a double carries the same eventId.',
      ),
    compression: choice('none', 'gzip', 'snappy', 'lz4', 'zstd')
      .prefault('none')
      .describe('Compression of record batches.'),
    maxBatchBytes: size('128KiB')
      .prefault('900KiB')
      .describe(
        'Most bytes per partition and send, headers and overhead counted. Must stay below max.message.bytes of the topics (1 MiB by default).',
      ),
    requestTimeout: duration('100ms')
      .prefault('5s')
      .describe('How long an answer of a broker is awaited. A lost answer delays publishing by about this.'),
  })

interface AuthKeys {
  readonly username?: unknown
  readonly password?: unknown
  readonly token?: unknown
}

const auth = () =>
  section({
    username: text().exactOptional().describe('With `password`, for HTTP Basic.'),
    password: text().exactOptional().describe('With `username`, for HTTP Basic.'),
    token: text().exactOptional().describe('Instead of username and password: sent as a bearer token.'),
  })
    .check(
      rule<AuthKeys>('either username and password, or token is expected', [], (keys) =>
        'token' in keys ? !('username' in keys) && !('password' in keys) : 'username' in keys && 'password' in keys,
      ),
    )
    .transform(({ username = '', password = '', token }) => (token === undefined ? { username, password } : { token }))

export const registry = () =>
  section({
    url: baseUrl('the http:// or https:// address of a Confluent-compatible API').describe(
      'Schema registry: any API compatible with that of Confluent; a path is allowed.',
    ),
    auth: auth()
      .exactOptional()
      .describe('Credentials for the registry: username and password, or a token. Left out: none.'),
    register: flag()
      .prefault(true)
      .describe(
        'Register our schemas where they are missing. false: the subjects must already hold a schema that ours can be written with.',
      ),
    subjectNaming: choice('topic-name', 'record-name', 'topic-record-name')
      .prefault('topic-name')
      .describe('How subjects are called: <topic>-value, the full name of the record, or <topic>-<full name>.'),
  })

export type Sasl = z.output<ReturnType<typeof sasl>>
