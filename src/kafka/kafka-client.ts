/**
 * One kafkajs client with the settings of the configuration. It is made for one producer or consumer and destroyed with it.
 *
 * kafkajs 2.2.4 cannot be stopped at once. `disconnect()` waits for responses that may never come, a connection that the other
 * side closes while it is being established never settles, and an operation under way may connect again. This client therefore
 * owns the sockets: `destroy` cuts all of them and refuses new ones. A destroyed producer can then send nothing, its pending
 * calls reject at once, and its timers end.
 */
import { connect as connectTcp, isIP, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { Kafka, type KafkaConfig, type ISocketFactory } from 'kafkajs'
import type { Logger } from 'pino'
import type { Clock } from '../core/clock.js'
import { kafkajsLogLevel, kafkajsLogCreator } from './kafkajs-workarounds/kafkajs-log.js'
import { createTokenProvider } from './oauth-token.js'
import type { KafkaSettings, TlsSettings } from './settings.js'
import { deliverWholeResponses } from './kafkajs-workarounds/whole-responses.js'

export interface KafkaClient {
  readonly kafka: Kafka
  /** Returns when a byte last arrived from any broker, in monotonic milliseconds; -Infinity if none has. */
  readonly lastReceivedAt: () => number
  /**
   * Closes every connection; the next call opens them again. Call it only while no operation is under way. kafkajs runs a timer
   * every millisecond for each connection that has ever been used, so idle connections cost CPU time.
   */
  disconnectIdle(): void
  /** Cuts every connection and refuses new ones. Every pending call rejects. */
  destroy(): void
}

/** The time limit for establishing a TCP or TLS connection. */
const CONNECTION_TIMEOUT_MS = 3_000
const KEEP_ALIVE_MS = 10_000

/**
 * kafkajs's retries of calls that may be repeated without harm: connecting, finding a coordinator, metadata. The first delay is
 * short, because a transaction that begins right after another one has to wait only a moment. Sends are never repeated; see
 * `producer-session.ts`.
 */
const METADATA_RETRY = { initialRetryTime: 5, multiplier: 2, maxRetryTime: 500, retries: 10 }

export function createKafkaClient(
  settings: Pick<KafkaSettings, 'instance' | 'brokers' | 'tls' | 'sasl' | 'requestTimeout'>,
  clock: Clock,
  log: Logger,
): KafkaClient {
  const sockets = new Set<Socket>()
  let destroyed = false
  let lastReceivedAt = -Infinity
  const socketFactory: ISocketFactory = ({ host, port, ssl, onConnect }) => {
    if (destroyed) throw new Error('this client is destroyed')
    const socket = ssl
      ? connectTls({ host, port, ...(isIP(host) ? {} : { servername: host }), ...ssl }, onConnect)
      : connectTcp({ host, port, noDelay: true }, onConnect)
    socket.on('data', () => {
      lastReceivedAt = clock.monotonic()
    })
    deliverWholeResponses(socket)
    socket.setKeepAlive(true, KEEP_ALIVE_MS)
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
    return socket
  }
  const kafka = new Kafka({
    clientId: `dlr-mo-connector.${settings.instance}`,
    brokers: [...settings.brokers],
    ...(settings.tls && { ssl: tlsOptions(settings.tls) }),
    ...saslOptions(settings.sasl, clock),
    connectionTimeout: Math.min(CONNECTION_TIMEOUT_MS, settings.requestTimeout),
    requestTimeout: settings.requestTimeout,
    retry: METADATA_RETRY,
    socketFactory,
    logLevel: kafkajsLogLevel(log),
    logCreator: kafkajsLogCreator(log),
  })
  // Only a socket error makes kafkajs reject its pending calls and clear its timers.
  const closeSockets = (reason: string): void => {
    for (const socket of sockets) socket.destroy(new Error(reason))
  }
  return {
    kafka,
    lastReceivedAt: () => lastReceivedAt,
    disconnectIdle: () => closeSockets('the connection is idle'),
    destroy: () => {
      destroyed = true
      closeSockets('this client is destroyed')
    },
  }
}

const tlsOptions = ({ ca, cert, key, serverName }: TlsSettings): Exclude<KafkaConfig['ssl'], boolean | undefined> => ({
  ...(ca !== undefined && { ca }),
  ...(cert !== undefined && { cert }),
  ...(key !== undefined && { key }),
  ...(serverName !== undefined && { servername: serverName }),
})

const saslOptions = (sasl: KafkaSettings['sasl'], clock: Clock): Pick<KafkaConfig, 'sasl'> => {
  if (!sasl) return {}
  if (sasl.mechanism === 'oauthbearer') {
    return { sasl: { mechanism: 'oauthbearer', oauthBearerProvider: createTokenProvider(sasl, clock) } }
  }
  return {
    sasl: { mechanism: sasl.mechanism, username: sasl.username, password: sasl.password } as NonNullable<
      KafkaConfig['sasl']
    >,
  }
}
