/** Interprets the errors of kafkajs, which wraps them in each other: the innermost one names the cause. */
import { ConnectorError, messageOf } from '../core/errors.js'

/** The fields of kafkajs's errors that this file reads. */
interface KafkaFailure {
  readonly name?: unknown
  readonly type?: unknown
  readonly code?: unknown
  readonly message?: unknown
  readonly cause?: unknown
  readonly errors?: unknown
}

/** The longest chain of causes that is followed. */
const MAX_CAUSES = 10

/** Yields the error and its causes, the outermost first. */
export function* causesOf(error: unknown): Generator<KafkaFailure> {
  let current: unknown = error
  for (let depth = 0; typeof current === 'object' && current !== null && depth < MAX_CAUSES; depth++) {
    const failure = current as KafkaFailure
    yield failure
    if (Array.isArray(failure.errors)) yield* causesOf(failure.errors[0])
    current = failure.cause
  }
}

/** Whether a broker answered with one of these protocol errors, such as `TOPIC_AUTHORIZATION_FAILED`. */
export const hasErrorType = (error: unknown, types: ReadonlySet<string>): boolean => {
  for (const { type } of causesOf(error)) if (typeof type === 'string' && types.has(type)) return true
  return false
}

/** Whether a broker has answered. The outcome is then certain, and no request is under way any more. */
export const isBrokerResponse = (error: unknown): boolean => {
  for (const { name } of causesOf(error)) if (name === 'KafkaJSProtocolError') return true
  return false
}

/**
 * Whether the broker has fenced this producer. It gives the same error if a younger producer with the same transactional id took
 * over and if it aborted the transaction at its timeout. Newer protocol versions answer PRODUCER_FENCED (90), for which kafkajs
 * has no name.
 */
export const isFenced = (error: unknown): boolean => {
  for (const { type, message } of causesOf(error)) {
    if (type === 'INVALID_PRODUCER_EPOCH' || type === 'PRODUCER_FENCED' || message === 'Unknown error code 90')
      return true
  }
  return false
}

export const CONCURRENT_TRANSACTIONS: ReadonlySet<string> = new Set(['CONCURRENT_TRANSACTIONS'])
export const COORDINATOR_UNAVAILABLE: ReadonlySet<string> = new Set([
  'GROUP_LOAD_IN_PROGRESS',
  'GROUP_COORDINATOR_NOT_AVAILABLE',
  'NOT_COORDINATOR_FOR_GROUP',
])
export const UNKNOWN_TOPIC: ReadonlySet<string> = new Set(['UNKNOWN_TOPIC_OR_PARTITION'])

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

/** Whether a broker refuses this client because of credentials, rights, certificates, or a value that it does not allow. */
export const isRefusedByBroker = (error: unknown): boolean => {
  if (hasErrorType(error, REFUSALS)) return true
  for (const { name, code, message } of causesOf(error)) {
    if (name === 'KafkaJSSASLAuthenticationError') return true
    if (TLS_REFUSALS.test(`${String(code)} ${String(message)}`)) return true
  }
  return false
}

/** kafkajs does not report why it found no coordinator; a missing right is one of the causes. */
const COORDINATOR_NOT_FOUND =
  'no coordinator was found for the transactional id or the group: the broker is not up yet, or this user lacks the right ' +
  'Describe on the transactional id or Read on the group'

/** Returns the innermost message, which names the cause, with the broker's name of the error. */
export const formatKafkaError = (error: unknown): string => {
  let last: KafkaFailure | undefined
  let type = ''
  for (const failure of causesOf(error)) {
    last = failure
    if (failure.name === 'KafkaJSGroupCoordinatorNotFound') return COORDINATOR_NOT_FOUND
    if (typeof failure.type === 'string') type = failure.type
  }
  const message = last === undefined ? messageOf(error) : String(last.message)
  return type === '' || message.includes(type) ? message : `${message} (${type})`
}

/** Converts a failure to open a client into KAFKA_REFUSED or KAFKA_UNREACHABLE; a ConnectorError is returned unchanged. */
export const toConnectionError = (
  error: unknown,
  brokers: readonly string[],
  description = formatKafkaError(error),
): ConnectorError => {
  if (error instanceof ConnectorError) return error
  const [code, message] = isRefusedByBroker(error)
    ? ([
        'KAFKA_REFUSED',
        `Kafka refuses this client: ${description}; check kafka.sasl, kafka.tls and the rights of this user`,
      ] as const)
    : (['KAFKA_UNREACHABLE', `Kafka at ${brokers.join(', ')} cannot be used: ${description}`] as const)
  return new ConnectorError(code, message, { cause: error })
}
