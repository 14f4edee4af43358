/**
 * Writes the log lines of kafkajs into the log of this program.
 *
 * Defect: kafkajs 2.2.4 logs retriable failures of connections and requests at level ERROR, and builds every debug line before
 * it checks the level. Effect: one lost connection fills the log with errors, and debug lines cost time although nobody reads
 * them. Every failure that matters also reaches the caller as a rejection, which is logged once with its meaning.
 *
 * This file can go when the client no longer is kafkajs.
 */
import { type logCreator, logLevel } from 'kafkajs'
import type { Log } from '../../core/log.js'

/** The parts of kafkajs whose failures reach their callers, so that their log lines are demoted to debug. */
const DEMOTED_NAMESPACES = new Set([
  'Connection',
  'RequestQueue',
  'ConnectionPool',
  'Broker',
  'BrokerPool',
  'Cluster',
  'Producer',
  'Admin',
  'Consumer',
  'ConsumerGroup',
  'Runner',
])

export const kafkajsLogCreator =
  (log: Log): logCreator =>
  () =>
  ({ namespace, level, log: { message, timestamp: _timestamp, logger: _logger, ...facts } }) => {
    const line = { kafka: namespace, ...withoutBytes(facts) }
    if (level === logLevel.DEBUG) log.trace(line, message)
    else if (DEMOTED_NAMESPACES.has(namespace)) log.debug(line, message)
    else if (level === logLevel.INFO) log.debug(line, message)
    else log.warn({ ...line, event: 'kafka-client-warning' }, message)
  }

/** Replaces bytes by their number: a response is a Buffer, of up to many megabytes. */
const withoutBytes = (facts: Readonly<Record<string, unknown>>): Record<string, unknown> =>
  Object.fromEntries(
    Object.entries(facts).map(([name, value]) => [
      name,
      value instanceof Uint8Array ? `${value.byteLength} bytes` : value,
    ]),
  )

/** Returns the level to give kafkajs: its debug lines, several for each request, are requested only if they are logged. */
export const kafkajsLogLevel = (log: Log): logLevel => (log.isLevelEnabled('trace') ? logLevel.DEBUG : logLevel.WARN)
