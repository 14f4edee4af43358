/** `kafka`: the cluster that events are published to. */
import { isIPv6 } from 'node:net'
import { clientCredentials, toClientCredentials } from './client-credentials.js'
import { rule, section, withDefaults, type Keys } from './section.js'
import { clientTls } from './tls.js'
import { duration, list, oneOf, size, text, textMatching, value, wholeNumber } from './values.js'

/** The last colon ends the host, which for an IPv6 address is in brackets. */
const BROKER = /^([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\]):([0-9]{1,5})$/

const broker = () =>
  value({
    expected: 'host:port, where host is a name, an IPv4 address or an IPv6 address in brackets,',
    jsonSchema: { type: 'string', pattern: `${BROKER.source}|\\$\\{` },
    parse: (given) => {
      const [, host = '', digits] = BROKER.exec(given) ?? []
      const port = Number(digits)
      const isHost = !host.startsWith('[') || isIPv6(host.slice(1, -1))
      return isHost && port >= 1 && port <= 65535 ? given : undefined
    },
  })

/** The topic names that Kafka allows. */
const TOPIC_PATTERN = '^(?!\\.{1,2}$)[A-Za-z0-9._-]{1,249}$'

export const topic = () => textMatching(TOPIC_PATTERN, 'a topic name of 1 to 249 letters, digits, ".", "_" and "-"')

const usesPassword = ({ mechanism }: Keys): boolean => /^(plain|scram-sha-(256|512))$/.test(String(mechanism))
const usesToken = ({ mechanism }: Keys): boolean => mechanism === 'oauthbearer'
const usesAws = ({ mechanism }: Keys): boolean => mechanism === 'aws-msk-iam'

const requires = (key: string, applies: (sasl: Keys) => boolean) =>
  rule({
    at: [key],
    holds: (sasl) => !applies(sasl) || key in sasl,
    problem: 'is missing; this mechanism needs it',
  })

/** The key has an effect only with the mechanisms that `applies` accepts. A mechanism that is wrong is reported by itself. */
const onlyWith = (key: string, applies: (sasl: Keys) => boolean) =>
  rule({
    at: [key],
    holds: (sasl) => !(key in sasl) || applies(sasl) || !MECHANISM_RULES.some((each) => each(sasl)),
    problem: 'has no effect with this mechanism; remove it, or choose another mechanism',
  })

const MECHANISM_RULES = [usesPassword, usesToken, usesAws]
const PASSWORD_KEYS = ['username', 'password']
const CLIENT_KEYS = ['tokenEndpoint', 'clientId', 'clientSecret']
const OPTIONAL_CLIENT_KEYS = ['scope', 'tokenEndpointTls']

/** As in `eu-central-1`, `us-gov-west-1`. It becomes part of a host name. */
const AWS_REGION = '^[a-z]{2,}(-[a-z0-9]+)+$'

const sasl = () =>
  section({
    mechanism: oneOf('plain', 'scram-sha-256', 'scram-sha-512', 'oauthbearer', 'aws-msk-iam').describe(
      'SASL mechanism. With oauthbearer the connector fetches tokens by the OAuth 2.0 client credentials grant. With aws-msk-iam it signs them with the AWS credentials of its environment.',
    ),
    username: text().exactOptional().describe('User name for plain, scram-sha-256 and scram-sha-512.'),
    password: text().exactOptional().describe('Password for plain, scram-sha-256 and scram-sha-512.'),
    ...clientCredentials('For oauthbearer'),
    region: textMatching(AWS_REGION, 'an AWS region such as eu-central-1')
      .exactOptional()
      .describe('For aws-msk-iam: the AWS region of the cluster.'),
  })
    .check(
      ...PASSWORD_KEYS.flatMap((key) => [requires(key, usesPassword), onlyWith(key, usesPassword)]),
      ...CLIENT_KEYS.flatMap((key) => [requires(key, usesToken), onlyWith(key, usesToken)]),
      ...OPTIONAL_CLIENT_KEYS.map((key) => onlyWith(key, usesToken)),
      requires('region', usesAws),
      onlyWith('region', usesAws),
    )
    .transform(({ mechanism, username = '', password = '', region = '', ...client }) => {
      if (mechanism === 'oauthbearer') return { mechanism, ...toClientCredentials(client) }
      if (mechanism === 'aws-msk-iam') return { mechanism, region }
      return { mechanism, username, password }
    })

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
    tls: clientTls('the brokers', '`brokers`')
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
