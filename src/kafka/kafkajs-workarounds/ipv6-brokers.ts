/**
 * IPv6 addresses of bootstrap brokers.
 *
 * Defect: kafkajs 2.2.4 splits an address of `brokers` at its first colon, so that `[::1]:9092` becomes the host `[` without a
 * port. Addresses that brokers advertise are not affected, because they arrive as host and port. Remedy: the colons of the host
 * are escaped in the list that kafkajs gets, and `OwnedSockets` restores them when kafkajs asks for a socket.
 *
 * This file can go when kafkajs reads such addresses, or when the client no longer is kafkajs.
 */
import { isIPv6 } from 'node:net'

/** A colon as in URLs. No name of a host contains a percent sign. */
const ESCAPED_COLON = '%3A'

/** Returns an address of `kafka.brokers` as kafkajs can read it. */
export const formatBootstrapServer = (broker: string): string => {
  const [, host = '', port = ''] = /^\[(.*)\]:(\d+)$/.exec(broker) ?? []
  return isIPv6(host) ? `${host.replaceAll(':', ESCAPED_COLON)}:${port}` : broker
}

/** Returns the host that kafkajs was given by `formatBootstrapServer`; any other host is returned unchanged. */
export const restoreHost = (host: string): string => {
  const restored = host.replaceAll(ESCAPED_COLON, ':')
  return isIPv6(restored) ? restored : host
}
