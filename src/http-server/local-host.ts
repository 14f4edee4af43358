import { isIP } from 'node:net'

/** Whether a server that listens on this address can be reached from this machine only. */
export const isLoopback = (host: string): boolean =>
  host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'))

/**
 * Whether the Host header of a request is one that a program on this machine sends: an address, localhost, or none.
 *
 * A page of a stranger can make a browser send requests to this port by letting the name of its own host point to 127.0.0.1 (DNS
 * rebinding). The browser then takes the answers for those of the page's host, whose name is in the header.
 */
export const isLocalHostHeader = (header: string | undefined): boolean => {
  if (header === undefined || header === '') return true
  const host = /^(?:\[(?<ipv6>[^\]]+)\]|(?<name>[^:]+))(?::\d+)?$/.exec(header)?.groups
  const name = (host?.['ipv6'] ?? host?.['name'] ?? '').toLowerCase()
  return isIP(name) !== 0 || name === 'localhost' || name.endsWith('.localhost')
}
