/** One kafkajs client with the settings of the configuration. It is made for one producer or consumer and destroyed with it. */
import { Kafka, type KafkaConfig } from 'kafkajs'
import type { ConnectionOptions } from 'node:tls'
import type { Clock } from '../core/clock.js'
import type { Log } from '../core/log.js'
import { TokenSource } from '../http-client/oauth-token.js'
import { kafkajsLogLevel, kafkajsLogCreator } from './kafkajs-workarounds/kafkajs-log.js'
import { oauthBearer } from './kafkajs-workarounds/oauth-bearer.js'
import { OwnedSockets } from './kafkajs-workarounds/owned-sockets.js'
import { repairRequestQueues } from './kafkajs-workarounds/request-queue-timer.js'
import { MskIamTokenSource } from './msk-iam-token.js'
import { formatBootstrapServer } from './kafkajs-workarounds/ipv6-brokers.js'
import type { KafkaSettings } from './settings.js'

export interface KafkaClient {
  readonly kafka: Kafka
  /** Returns when a byte last arrived from any broker, in monotonic milliseconds; -Infinity if none has. */
  readonly lastReceivedAt: () => number
  /** Closes every connection; the next call opens them again. Call it only while no operation is under way. */
  disconnectIdle(): void
  /** Cuts every connection and refuses new ones. Every pending call rejects. */
  destroy(): void
}

/** The time limit for establishing a TCP or TLS connection. */
const CONNECTION_TIMEOUT_MS = 3_000

/**
 * How long before the end of a SASL session (`connections.max.reauth.ms`, or the lifetime of a token) kafkajs authenticates again.
 * With its default of ten seconds it would do so before every request of a session that is shorter, and brokers refuse that within
 * a second with ILLEGAL_SASL_STATE. They accept it also after the end of the session.
 */
const REAUTHENTICATION_THRESHOLD_MS = 1_000

/** kafkajs's retries of what it sends by itself, all of which may be repeated without harm: connecting and metadata. */
const METADATA_RETRY = { initialRetryTime: 5, multiplier: 2, maxRetryTime: 500, retries: 10 }

export function createKafkaClient(
  settings: Pick<KafkaSettings, 'instance' | 'brokers' | 'tls' | 'sasl' | 'proxy' | 'requestTimeout'>,
  clock: Clock,
  log: Log,
): KafkaClient {
  repairRequestQueues()
  const sockets = new OwnedSockets(clock)
  const tokens = createTokenSource(settings, clock)
  const kafka = new Kafka({
    clientId: `dlr-mo-connector.${settings.instance}`,
    brokers: settings.brokers.map(formatBootstrapServer),
    ...(settings.tls && { ssl: tlsOptions(settings.tls) }),
    ...(settings.sasl && { sasl: saslOptions(settings.sasl, tokens) }),
    connectionTimeout: Math.min(CONNECTION_TIMEOUT_MS, settings.requestTimeout),
    requestTimeout: settings.requestTimeout,
    reauthenticationThreshold: REAUTHENTICATION_THRESHOLD_MS,
    retry: METADATA_RETRY,
    socketFactory: sockets.factory,
    logLevel: kafkajsLogLevel(log),
    logCreator: kafkajsLogCreator(log),
  })
  return {
    kafka,
    lastReceivedAt: () => sockets.lastReceivedAt,
    disconnectIdle: () => sockets.closeAll('the connection is idle'),
    destroy: () => {
      sockets.destroy()
      void tokens?.close()
    },
  }
}

const tlsOptions = ({ serverName, ...tls }: NonNullable<KafkaSettings['tls']>): ConnectionOptions => ({
  ...tls,
  ...(serverName !== undefined && { servername: serverName }),
})

type Sasl = NonNullable<KafkaSettings['sasl']>

/** Returns what tokens come from; undefined for the mechanisms with a password. */
const createTokenSource = ({ sasl, proxy }: Pick<KafkaSettings, 'sasl' | 'proxy'>, clock: Clock) => {
  if (sasl?.mechanism === 'oauthbearer')
    return new TokenSource({ credentials: sasl, section: 'kafka.sasl', proxy }, clock)
  if (sasl?.mechanism === 'aws-msk-iam') return new MskIamTokenSource({ region: sasl.region, proxy }, clock)
  return undefined
}

// kafkajs adds a property to the object that it is given, and the configuration is frozen, so it gets a copy.
const saslOptions = (sasl: Sasl, tokens: ReturnType<typeof createTokenSource>): NonNullable<KafkaConfig['sasl']> =>
  tokens === undefined ? ({ ...sasl } as NonNullable<KafkaConfig['sasl']>) : oauthBearer(() => tokens.getToken())
