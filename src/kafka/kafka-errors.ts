/** Interprets the errors of kafkajs, which wraps them in each other: the innermost one names the cause. */
import { ConnectorError, messageOf } from '../core/errors.js'
import { quote } from '../masking/known-secrets.js'
import { TokenError } from '../http-client/oauth-token.js'
import { tlsAdvice } from '../http-client/tls.js'
import { BrokerError } from './broker-error.js'

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

/** Returns the error and its causes, the outermost first. */
function causesOf(error: unknown): KafkaFailure[] {
  const causes: KafkaFailure[] = []
  let current: unknown = error
  for (let depth = 0; typeof current === 'object' && current !== null && depth < MAX_CAUSES; depth++) {
    const failure = current as KafkaFailure
    causes.push(failure)
    if (Array.isArray(failure.errors)) causes.push(...causesOf(failure.errors[0]))
    current = failure.cause
  }
  return causes
}

/** Whether a broker answered with one of these protocol errors, such as `TOPIC_AUTHORIZATION_FAILED`. */
export const hasErrorType = (error: unknown, types: ReadonlySet<string>): boolean =>
  causesOf(error).some(({ type }) => typeof type === 'string' && types.has(type))

/** Returns the answer of a broker that led to this error. */
export const brokerErrorIn = (error: unknown): BrokerError | undefined =>
  causesOf(error).find((each) => each instanceof BrokerError)

/** Whether a broker has answered. The outcome is then certain, and no request is under way any more. */
export const isBrokerResponse = (error: unknown): boolean =>
  causesOf(error).some(({ name }) => name === 'KafkaJSProtocolError' || name === 'BrokerError')

/**
 * Whether the broker has fenced this producer. It gives the same error if a younger producer with the same transactional id took
 * over and if it aborted the transaction at its timeout. Newer protocol versions answer PRODUCER_FENCED.
 */
export const isFenced = (error: unknown): boolean => hasErrorType(error, FENCED)

const FENCED: ReadonlySet<string> = new Set(['INVALID_PRODUCER_EPOCH', 'PRODUCER_FENCED'])

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
/** What to do about a refusal, by the name of the error. */
const REMEDIES: Readonly<Record<string, string>> = {
  SASL_AUTHENTICATION_FAILED: 'correct the credentials in kafka.sasl',
  UNSUPPORTED_SASL_MECHANISM: 'set kafka.sasl.mechanism to one that the brokers have enabled (sasl.enabled.mechanisms)',
  ILLEGAL_SASL_STATE:
    'the listener at this port asks for no credentials: name the port of the SASL listener in kafka.brokers, or leave out kafka.sasl',
  TOPIC_AUTHORIZATION_FAILED: 'grant this user the rights on the topics',
  GROUP_AUTHORIZATION_FAILED: 'grant this user Read on the groups',
  CLUSTER_AUTHORIZATION_FAILED: 'grant this user the right on the cluster',
  TRANSACTIONAL_ID_AUTHORIZATION_FAILED: 'grant this user Write on the transactional id',
  POLICY_VIOLATION: 'ask whoever runs the cluster for its policy on topics, or create the topics by hand',
  INVALID_REPLICATION_FACTOR: 'lower kafka.createTopics.replicationFactor to the number of brokers, or add brokers',
}
/** The error codes of Node.js and of OpenSSL's verification of certificates. */
const TLS_REFUSAL_CODES =
  /CERT|^ERR_(TLS|SSL|OSSL)_|^UNABLE_TO_VERIFY_LEAF_SIGNATURE$|^HOSTNAME_MISMATCH$|^INVALID_(CA|PURPOSE)$|^PATH_LENGTH_EXCEEDED$/
/** The text that OpenSSL adds where Node.js gives only the code of the socket, `EPROTO`. Host names can't contain it. */
const TLS_REFUSAL_TEXT = /SSL routines:|SSL alert number /

/** Returns the reason why there was no token to authenticate with. No broker has been asked then. */
const tokenErrorIn = (error: unknown): TokenError | undefined =>
  causesOf(error).find((each) => each instanceof TokenError)

/** Whether a broker refuses this client because of credentials, rights, certificates, or a value that it does not allow. */
export const isRefusedByBroker = (error: unknown): boolean => tokenErrorIn(error) === undefined && hasRefusal(error)

const hasRefusal = (error: unknown): boolean =>
  hasErrorType(error, REFUSALS) ||
  causesOf(error).some((each) => each instanceof BrokerError && each.reaction === 'refused') ||
  causesOf(error).some(
    ({ name, code, message }) =>
      name === 'KafkaJSSASLAuthenticationError' ||
      code === 'KAFKA_REFUSED' ||
      TLS_REFUSAL_CODES.test(String(code)) ||
      TLS_REFUSAL_TEXT.test(String(message)),
  )

/** kafkajs does not report why it found no coordinator; a missing right is one of the causes. */
const COORDINATOR_NOT_FOUND =
  'no coordinator was found for the transactional id or the group: the broker is not up yet, or this user lacks the right ' +
  'Describe on the transactional id or Read on the group'

/** Room for the text of a broker and that of kafkajs around it. */
const MAX_QUOTED_ERROR_CHARACTERS = 500

/** Returns the innermost message, which names the cause, with the broker's name of the error. */
export const formatKafkaError = (error: unknown): string => {
  const tokenError = tokenErrorIn(error)
  if (tokenError !== undefined) return tokenError.message
  let last: KafkaFailure | undefined
  let type = ''
  for (const failure of causesOf(error)) {
    last = failure
    if (failure.name === 'KafkaJSGroupCoordinatorNotFound') return COORDINATOR_NOT_FOUND
    if (typeof failure.type === 'string') type = failure.type
  }
  // Errors of the connector have quoted what the broker wrote, and go on with what to do.
  const isOurs = last instanceof BrokerError || last instanceof ConnectorError
  const innermost = last === undefined ? messageOf(error) : String(last.message)
  const message = isOurs ? innermost : quote(innermost, MAX_QUOTED_ERROR_CHARACTERS)
  return type === '' || message.includes(type) ? message : `${message} (${type})`
}

function remedyFor(error: unknown, brokers: readonly string[]): string {
  for (const { type, name } of causesOf(error)) {
    const remedy = REMEDIES[name === 'KafkaJSSASLAuthenticationError' ? 'SASL_AUTHENTICATION_FAILED' : String(type)]
    if (remedy !== undefined) return remedy
  }
  return (
    tlsAdvice(error, 'kafka.tls', 'kafka.brokers', brokers.join(', ')) ??
    'check kafka.sasl, kafka.tls and the rights of this user'
  )
}

const hasRemedy = (error: unknown): boolean => causesOf(error).some((each) => each instanceof BrokerError)

/** Converts a failure to open a client into KAFKA_REFUSED or KAFKA_UNREACHABLE; a ConnectorError is returned unchanged. */
export const toConnectionError = (
  error: unknown,
  brokers: readonly string[],
  description = formatKafkaError(error),
): ConnectorError => {
  if (error instanceof ConnectorError) return error
  const tokenError = tokenErrorIn(error)
  if (tokenError !== undefined) {
    const code = tokenError.isRefusal ? 'KAFKA_REFUSED' : 'KAFKA_UNREACHABLE'
    return new ConnectorError(code, `no access token for Kafka: ${tokenError.message}`, { cause: error })
  }
  if (isRefusedByBroker(error)) {
    // An answer to one of our own requests names its remedy by itself.
    const message = `Kafka refuses this client: ${description}${hasRemedy(error) ? '' : `; ${remedyFor(error, brokers)}`}`
    return new ConnectorError('KAFKA_REFUSED', message, { cause: error })
  }
  const message = `Kafka at ${brokers.join(', ')} cannot be used: ${description}; check kafka.brokers, kafka.tls and whether the brokers run`
  return new ConnectorError('KAFKA_UNREACHABLE', message, { cause: error })
}
