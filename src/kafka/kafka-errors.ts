/** What kafkajs throws, read: it wraps errors in each other, and the one that tells something lies at the bottom. */
import { ConnectorError, messageOf } from '../core/errors.js'

interface KafkaFailure {
  readonly name?: unknown
  readonly type?: unknown
  readonly code?: unknown
  readonly message?: unknown
  readonly cause?: unknown
  readonly errors?: unknown
}

/** The error and what caused it, outermost first. */
export function* causesOf(error: unknown): Generator<KafkaFailure> {
  let at: unknown = error
  for (let depth = 0; typeof at === 'object' && at !== null && depth < 10; depth++) {
    const failure = at as KafkaFailure
    yield failure
    if (Array.isArray(failure.errors)) yield* causesOf(failure.errors[0])
    at = failure.cause
  }
}

/** Whether the broker said this by name (`TOPIC_AUTHORIZATION_FAILED`). */
export const hasErrorType = (error: unknown, types: ReadonlySet<string>): boolean => {
  for (const { type } of causesOf(error)) if (typeof type === 'string' && types.has(type)) return true
  return false
}

/** Whether a broker answered at all: then what it said is certain, and nothing is under way any more. */
export const isBrokerResponse = (error: unknown): boolean => {
  for (const { name } of causesOf(error)) if (name === 'KafkaJSProtocolError') return true
  return false
}

/**
 * A younger producer of the same transactional id took over, or the broker aborted our transaction by its time-out:
 * the same answer for both. Newer versions of the protocol say PRODUCER_FENCED (90), which kafkajs has no name for.
 */
export const isFenced = (error: unknown): boolean => {
  for (const { type, message } of causesOf(error)) {
    if (type === 'INVALID_PRODUCER_EPOCH' || type === 'PRODUCER_FENCED' || message === 'Unknown error code 90')
      return true
  }
  return false
}

export const CONCURRENT_TRANSACTIONS: ReadonlySet<string> = new Set(['CONCURRENT_TRANSACTIONS'])
export const COORDINATOR_MOVES: ReadonlySet<string> = new Set([
  'GROUP_LOAD_IN_PROGRESS',
  'GROUP_COORDINATOR_NOT_AVAILABLE',
  'NOT_COORDINATOR_FOR_GROUP',
])
export const NO_SUCH_TOPIC: ReadonlySet<string> = new Set(['UNKNOWN_TOPIC_OR_PARTITION'])

const REFUSALS: ReadonlySet<string> = new Set([
  'SASL_AUTHENTICATION_FAILED',
  'UNSUPPORTED_SASL_MECHANISM',
  'ILLEGAL_SASL_STATE',
  'TOPIC_AUTHORIZATION_FAILED',
  'GROUP_AUTHORIZATION_FAILED',
  'CLUSTER_AUTHORIZATION_FAILED',
  'TRANSACTIONAL_ID_AUTHORIZATION_FAILED',
  'DELEGATION_TOKEN_AUTHORIZATION_FAILED',
  'POLICY_VIOLATION',
  'INVALID_REPLICATION_FACTOR',
  'INVALID_TRANSACTION_TIMEOUT',
])
const TLS_REFUSALS = /certificate|CERT_|ERR_TLS|ERR_SSL|alert|self[- ]signed|altnames/i

/** The broker is there and will not have us: credentials, rights, certificates, or a value that it does not allow. */
export const isRefusal = (error: unknown): boolean => {
  if (hasErrorType(error, REFUSALS)) return true
  for (const { name, code, message } of causesOf(error)) {
    if (name === 'KafkaJSSASLAuthenticationError') return true
    if (TLS_REFUSALS.test(`${String(code)} ${String(message)}`)) return true
  }
  return false
}

/** kafkajs keeps to itself why: also where a right is missing. */
const NO_COORDINATOR =
  'no coordinator can be found for our transactional id or group: it is not up yet, or this user may not see it ' +
  '(Describe on the transactional id, Read on the group)'

/** For people: the innermost message, which names the cause, with the broker's own name for it. */
export const formatKafkaError = (error: unknown): string => {
  let last: KafkaFailure | undefined
  let type = ''
  for (const failure of causesOf(error)) {
    last = failure
    if (failure.name === 'KafkaJSGroupCoordinatorNotFound') return NO_COORDINATOR
    if (typeof failure.type === 'string') type = failure.type
  }
  const message = last === undefined ? messageOf(error) : String(last.message)
  return type === '' || message.includes(type) ? message : `${message} (${type})`
}

/** What stood in the way of a producer, by our own names: KAFKA_REFUSED, KAFKA_UNREACHABLE, or as it was thrown. */
export const connectionError = (
  error: unknown,
  brokers: readonly string[],
  description = formatKafkaError(error),
): ConnectorError => {
  if (error instanceof ConnectorError) return error
  const [code, message] = isRefusal(error)
    ? ([
        'KAFKA_REFUSED',
        `Kafka refuses us: ${description}; check kafka.sasl, kafka.tls and the rights of this user`,
      ] as const)
    : (['KAFKA_UNREACHABLE', `Kafka at ${brokers.join(', ')} can't be used: ${description}`] as const)
  return new ConnectorError(code, message, { cause: error })
}
