import { describe, expect, it } from 'vitest'
import { ConnectorError } from '../../src/core/errors.js'
import {
  formatKafkaError,
  isBrokerResponse,
  isFenced,
  isRefusedByBroker,
  toConnectionError,
  hasErrorType,
} from '../../src/kafka/kafka-errors.js'

const protocolError = (type: string, message = 'what Kafka says'): Error =>
  Object.assign(new Error(message), { name: 'KafkaJSProtocolError', type })
const wrapped = (error: unknown): Error =>
  new Error('Retries exceeded', { cause: new Error('kafkajs wraps', { cause: error }) })

describe('The interpretation of errors of kafkajs', () => {
  it('uses the innermost error of the chain of causes', () => {
    expect(formatKafkaError(wrapped(protocolError('NOT_ENOUGH_REPLICAS')))).toBe(
      'what Kafka says (NOT_ENOUGH_REPLICAS)',
    )
    expect(isFenced(wrapped(protocolError('INVALID_PRODUCER_EPOCH')))).toBe(true)
    expect(isBrokerResponse(wrapped(protocolError('UNKNOWN')))).toBe(true)
    expect(isBrokerResponse(wrapped(new Error('Request timed out')))).toBe(false)
    expect(hasErrorType(wrapped(protocolError('A')), new Set(['B']))).toBe(false)
  })

  it('uses the first error of an aggregate', () => {
    const several = Object.assign(new Error('Topic creation errors'), { errors: [protocolError('POLICY_VIOLATION')] })
    expect(isRefusedByBroker(several)).toBe(true)
  })

  it('takes a refusal whose topic was already named for a refusal', () => {
    const named = new ConnectorError('KAFKA_REFUSED', 'this user has no right on topic a')
    expect(isRefusedByBroker(named)).toBe(true)
    expect(isRefusedByBroker(wrapped(named))).toBe(true)
    expect(isRefusedByBroker(new ConnectorError('KAFKA_UNREACHABLE', 'away'))).toBe(false)
  })

  it('accepts values that are not errors', () => {
    expect(formatKafkaError(undefined)).toBe('undefined')
    expect(formatKafkaError('text')).toBe('text')
    const endless: { cause?: unknown } = {}
    endless.cause = endless
    expect(isFenced(endless)).toBe(false)
  })

  it.each([
    protocolError('TOPIC_AUTHORIZATION_FAILED'),
    protocolError('SASL_AUTHENTICATION_FAILED'),
    Object.assign(new Error('SASL PLAIN authentication failed'), { name: 'KafkaJSSASLAuthenticationError' }),
    Object.assign(new Error('Connection error: self-signed certificate'), { code: 'DEPTH_ZERO_SELF_SIGNED_CERT' }),
    Object.assign(new Error('unable to verify the first certificate'), { code: 'UNABLE_TO_VERIFY_LEAF_SIGNATURE' }),
    Object.assign(new Error('write EPROTO 0:error:0A000418:SSL routines::tlsv1 alert unknown ca:SSL alert number 48'), {
      code: 'EPROTO',
    }),
  ])('reports a refusal for: $message', (error) => {
    expect(toConnectionError(wrapped(error), ['a:1']).code).toBe('KAFKA_REFUSED')
  })

  it('names the setting to change if the cluster has fewer brokers than replicas', () => {
    const { code, message } = toConnectionError(wrapped(protocolError('INVALID_REPLICATION_FACTOR')), ['a:1'])
    expect(code).toBe('KAFKA_REFUSED')
    expect(message).toContain('kafka.createTopics.replicationFactor')
  })

  it('reports a broker that is not found as unreachable, whatever words its host name contains', () => {
    const error = Object.assign(new Error('getaddrinfo ENOTFOUND certificate-alert.example.com'), { code: 'ENOTFOUND' })
    expect(toConnectionError(wrapped(error), ['a:1']).code).toBe('KAFKA_UNREACHABLE')
  })

  it('reports any other failure as unreachable, with the brokers and the cause', () => {
    const error = toConnectionError(wrapped(new Error('connect ECONNREFUSED')), ['a:1', 'b:2'])
    expect(error.code).toBe('KAFKA_UNREACHABLE')
    expect(error.message).toBe(
      'Kafka at a:1, b:2 cannot be used: connect ECONNREFUSED; check kafka.brokers, kafka.tls and whether the brokers run',
    )
  })
})
