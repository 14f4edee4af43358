/**
 * One kafkajs client from the configuration: made for one producer, and thrown away with it.
 *
 * kafkajs itself can't be stopped at once: `disconnect()` waits for answers that may never come, a connection that the
 * other side closes while it is being set up never settles, and whatever is under way may connect again. So the sockets
 * are ours: `destroy` cuts them all and refuses new ones. What is left of a thrown-away producer can then send nothing,
 * its waiting calls reject at once, and its timers end.
 */
import { connect as connectTcp, isIP, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { Kafka, type KafkaConfig, type ISocketFactory } from 'kafkajs'
import type { Logger } from 'pino'
import type { Clock } from '../core/clock.js'
import { levelFor, logInto } from './kafka-log.js'
import { tokenProvider } from './oauth-token.js'
import type { KafkaSettings, TlsSettings } from './settings.js'
import { deliverWholeResponses } from './kafkajs-workarounds/whole-answers.js'

export interface KafkaClient {
  readonly kafka: Kafka
  /** When a byte last came from any broker, in monotonic ms; -Infinity before. */
  readonly heardAt: () => number
  /** Closes every connection; what is called next opens them again. Only while no call is under way. */
  rest(): void
  /** Cuts every connection and refuses new ones. */
  destroy(): void
}

/** Milliseconds until a TCP or TLS connection must stand. */
const CONNECTION_TIMEOUT = 3_000
const KEEP_ALIVE = 10_000

/**
 * Only for calls that may be repeated without harm (connecting, looking up a coordinator, metadata): begins small,
 * since a transaction begun right after another is told to wait a moment. Sends are never retried; see `producer`.
 */
const RETRY = { initialRetryTime: 5, multiplier: 2, maxRetryTime: 500, retries: 10 }

export function kafkaClient(
  settings: Pick<KafkaSettings, 'instance' | 'brokers' | 'tls' | 'sasl' | 'requestTimeout'>,
  clock: Clock,
  log: Logger,
): KafkaClient {
  const sockets = new Set<Socket>()
  let destroyed = false
  let heardAt = -Infinity
  const socketFactory: ISocketFactory = ({ host, port, ssl, onConnect }) => {
    if (destroyed) throw new Error('this client was thrown away')
    const socket = ssl
      ? connectTls({ host, port, ...(isIP(host) ? {} : { servername: host }), ...ssl }, onConnect)
      : connectTcp({ host, port, noDelay: true }, onConnect)
    socket.on('data', () => (heardAt = clock.monotonic()))
    deliverWholeResponses(socket)
    socket.setKeepAlive(true, KEEP_ALIVE)
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
    return socket
  }
  const kafka = new Kafka({
    clientId: `dlr-mo-connector.${settings.instance}`,
    brokers: [...settings.brokers],
    ...(settings.tls && { ssl: tlsOptions(settings.tls) }),
    ...saslOptions(settings.sasl, clock),
    connectionTimeout: Math.min(CONNECTION_TIMEOUT, settings.requestTimeout),
    requestTimeout: settings.requestTimeout,
    retry: RETRY,
    socketFactory,
    logLevel: levelFor(log),
    logCreator: logInto(log),
  })
  // With an error, since only that makes kafkajs reject what it still waits for, and clear its timers.
  const cut = (reason: string): void => sockets.forEach((socket) => socket.destroy(new Error(reason)))
  return {
    kafka,
    heardAt: () => heardAt,
    rest: () => cut('nothing to do'),
    destroy: () => {
      destroyed = true
      cut('this client was thrown away')
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
    return { sasl: { mechanism: 'oauthbearer', oauthBearerProvider: tokenProvider(sasl, clock) } }
  }
  return {
    sasl: { mechanism: sasl.mechanism, username: sasl.username, password: sasl.password } as NonNullable<
      KafkaConfig['sasl']
    >,
  }
}
