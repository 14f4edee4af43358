/**
 * kafkajs's log lines in ours. It logs at ERROR whatever it may retry, and every failure that matters also reaches us
 * as a rejection, which is logged once with its meaning: so its connection and request noise goes to debug.
 */
import { type logCreator, logLevel } from 'kafkajs'
import type { Logger } from 'pino'

/** Parts of kafkajs whose failures its callers are told of anyway. */
const TOLD_ANYWAY = new Set([
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

export const logInto =
  (log: Logger): logCreator =>
  () =>
  ({ namespace, level, log: { message, timestamp: _t, logger: _l, ...facts } }) => {
    const line = { kafka: namespace, ...facts }
    if (level === logLevel.DEBUG || TOLD_ANYWAY.has(namespace)) log.debug(line, message)
    else if (level === logLevel.INFO) log.info(line, message)
    else log.warn(line, message)
  }

/** kafkajs builds every debug line before it asks; so it is asked for them only where they are wanted. */
export const levelFor = (log: Logger): logLevel => (log.isLevelEnabled('debug') ? logLevel.DEBUG : logLevel.WARN)
