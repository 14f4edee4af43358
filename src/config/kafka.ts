/** `kafka`: the cluster that events are published to. */
import { rule, section, withDefaults, type Keys } from './section.js'
import { clientTls } from './tls.js'
import { duration, httpUrl, list, oneOf, size, text, textMatching, value, wholeNumber } from './values.js'

const BROKER = /^([A-Za-z0-9._-]+):([0-9]{1,5})$/

/** IPv6 literals are refused, because kafkajs splits an address at its first colon. */
const broker = () =>
  value({
    expected: 'host:port, where host is a name or an IPv4 address,',
    jsonSchema: { type: 'string', pattern: `${BROKER.source}|\\$\\{` },
    parse: (given) => {
      const port = Number(BROKER.exec(given)?.[2])
      return port >= 1 && port <= 65535 ? given : undefined
    },
  })

/** The topic names that Kafka allows. */
const TOPIC_PATTERN = '^(?!\\.{1,2}$)[A-Za-z0-9._-]{1,249}$'

export const topic = () => textMatching(TOPIC_PATTERN, 'a topic name of 1 to 249 letters, digits, ".", "_" and "-"')

const usesPassword = ({ mechanism }: Keys): boolean => /^(plain|scram-sha-(256|512))$/.test(String(mechanism))
const usesToken = ({ mechanism }: Keys): boolean => mechanism === 'oauthbearer'

const requires = (key: string, applies: (sasl: Keys) => boolean) =>
  rule({
    at: [key],
    holds: (sasl) => !applies(sasl) || key in sasl,
    problem: 'is missing; this mechanism needs it',
  })

const excludes = (key: string, applies: (sasl: Keys) => boolean) =>
  rule({
    at: [key],
    holds: (sasl) => !applies(sasl) || !(key in sasl),
    problem: 'has no effect with this mechanism; remove it, or choose another mechanism',
  })

const PASSWORD_KEYS = ['username', 'password']
const CLIENT_KEYS = ['tokenEndpoint', 'clientId', 'clientSecret']

const sasl = () =>
  section({
    mechanism: oneOf('plain', 'scram-sha-256', 'scram-sha-512', 'oauthbearer').describe(
      'SASL mechanism. With oauthbearer the connector fetches tokens by the OAuth 2.0 client credentials grant.',
    ),
    username: text().exactOptional().describe('User name for plain, scram-sha-256 and scram-sha-512.'),
    password: text().exactOptional().describe('Password for plain, scram-sha-256 and scram-sha-512.'),
    tokenEndpoint: httpUrl()
      .exactOptional()
      .describe('For oauthbearer: the http or https address of the OAuth 2.0 token endpoint.'),
    clientId: text().exactOptional().describe('For oauthbearer: the client id.'),
    clientSecret: text().exactOptional().describe('For oauthbearer: the client secret.'),
    scope: text().exactOptional().describe('For oauthbearer, optional: the scopes to request, separated by spaces.'),
  })
    .check(
      ...PASSWORD_KEYS.flatMap((key) => [requires(key, usesPassword), excludes(key, usesToken)]),
      ...CLIENT_KEYS.flatMap((key) => [requires(key, usesToken), excludes(key, usesPassword)]),
      excludes('scope', usesPassword),
    )
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
        'Topic of dead letters: what the connector received and could not turn into an event. The position in the journal is committed as an offset of partition 0 of this topic.',
      ),
    deadLetterReplays: topic()
      .prefault('sms.dead-letter-replays')
      .describe(
        'Compacted topic of marks that say which dead letters were replayed. Only the commands dead-letters and the publishing of replays need it.',
      ),
  }).check(
    rule({
      at: ['mo'],
      holds: ({ dlr, mo }) => typeof mo !== 'string' || mo !== dlr,
      problem: 'is the same topic as dlr; the topics must differ',
    }),
    rule({
      at: ['deadLetter'],
      holds: ({ dlr, mo, deadLetter }) => typeof deadLetter !== 'string' || (deadLetter !== dlr && deadLetter !== mo),
      problem: 'is the same topic as dlr or mo; the topics must differ',
    }),
    rule({
      at: ['deadLetterReplays'],
      holds: ({ dlr, mo, deadLetter, deadLetterReplays }) =>
        typeof deadLetterReplays !== 'string' || ![dlr, mo, deadLetter].includes(deadLetterReplays),
      problem: 'is the same topic as dlr, mo or deadLetter; the topics must differ',
    }),
  )

export const kafka = () =>
  section({
    brokers: list(broker(), { minItems: 1 }).describe(
      'Bootstrap brokers, each as host:port. The client discovers the other brokers of the cluster through them.',
    ),
    tls: clientTls()
      .exactOptional()
      .describe('TLS to the brokers: true, or a section. If left out, connections are not encrypted.'),
    sasl: sasl()
      .exactOptional()
      .describe('Authentication to the brokers. If left out, the connector does not authenticate.'),
    topics: withDefaults(topics()).describe('Names of the topics.'),
    createTopics: section({
      partitions: wholeNumber({ min: 1, max: 100_000, default: 6 }).describe(
        'Number of partitions of each topic that the connector creates.',
      ),
      replicationFactor: wholeNumber({ min: 1, max: 100, default: 1 }).describe(
        'Replication factor of each topic that the connector creates.',
      ),
    })
      .exactOptional()
      .describe('Creates topics that do not exist. If left out, the topics must exist.'),
    delivery: oneOf('exactly-once', 'at-least-once')
      .prefault('exactly-once')
      .describe(
        'With exactly-once, events and the position in the journal are committed in one transaction. With at-least-once, no position is kept in Kafka: an entry is released after acks=all, and an event that is published twice carries the same eventId.',
      ),
    compression: oneOf('none', 'gzip', 'snappy', 'lz4', 'zstd')
      .prefault('none')
      .describe('Compression of record batches.'),
    maxBatchBytes: size({ min: '128KiB', default: '900KiB' }).describe(
      'Largest record batch per partition and request, including headers and protocol overhead. It must be less than max.message.bytes of the topics (1 MiB by default).',
    ),
    requestTimeout: duration({ min: '100ms', default: '5s' }).describe(
      "How long the connector waits for a broker's answer. A lost answer delays publishing by about this long.",
    ),
    transactionTimeout: duration({ min: '1s', default: '60s' }).describe(
      'How long the broker keeps an unfinished transaction before it aborts it (transaction.timeout.ms). It must not be longer than transaction.max.timeout.ms of the brokers (15 minutes by default).',
    ),
  })
