/** One kafkajs client with the settings of the configuration. It is made for one producer or consumer and destroyed with it. */
import { Kafka, type KafkaConfig } from 'kafkajs'
import type { ConnectionOptions } from 'node:tls'
import type { Clock } from '../core/clock.js'
import type { Log } from '../core/log.js'
import { kafkajsLogLevel, kafkajsLogCreator } from './kafkajs-workarounds/kafkajs-log.js'
import { OwnedSockets } from './kafkajs-workarounds/owned-sockets.js'
import { repairRequestQueues } from './kafkajs-workarounds/request-queue-timer.js'
import { createTokenProvider } from './oauth-token.js'
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
  settings: Pick<KafkaSettings, 'instance' | 'brokers' | 'tls' | 'sasl' | 'requestTimeout'>,
  clock: Clock,
  log: Log,
): KafkaClient {
  repairRequestQueues()
  const sockets = new OwnedSockets(clock)
  const kafka = new Kafka({
    clientId: `dlr-mo-connector.${settings.instance}`,
    brokers: [...settings.brokers],
    ...(settings.tls && { ssl: tlsOptions(settings.tls) }),
    ...(settings.sasl && { sasl: saslOptions(settings.sasl, clock) }),
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
    destroy: () => sockets.destroy(),
  }
}

const tlsOptions = ({ serverName, ...tls }: NonNullable<KafkaSettings['tls']>): ConnectionOptions => ({
  ...tls,
  ...(serverName !== undefined && { servername: serverName }),
})

// kafkajs adds a property to the object that it is given, and the configuration is frozen, so it gets a copy.
const saslOptions = (sasl: NonNullable<KafkaSettings['sasl']>, clock: Clock): NonNullable<KafkaConfig['sasl']> =>
  sasl.mechanism === 'oauthbearer'
    ? { mechanism: 'oauthbearer', oauthBearerProvider: createTokenProvider(sasl, clock) }
    : ({ ...sasl } as NonNullable<KafkaConfig['sasl']>)
