/** Compares the address that a callback came from with the ranges of the configuration. */
import { BlockList, isIP, isIPv4 } from 'node:net'

/** Ranges of IPv4 and IPv6 addresses. */
export class AddressRanges {
  readonly #list = new BlockList()

  /** @param ranges `address/prefixLength`, as the configuration returns them */
  constructor(ranges: readonly string[]) {
    for (const range of ranges) {
      const [written = '', prefixLength] = range.split('/')
      const address = toIpv4IfMapped(written)
      // The first 96 bits of an IPv4-mapped address are constant: `::ffff:10.0.0.0/104` is `10.0.0.0/8`.
      const bits = Number(prefixLength) - (address === written ? 0 : 96)
      this.#list.addSubnet(address, bits, isIPv4(address) ? 'ipv4' : 'ipv6')
    }
  }

  /** @param address as `clientAddress` returns it; undefined is in no range */
  has(address: string | undefined): boolean {
    if (address === undefined) return false
    return this.#list.check(address, isIPv4(address) ? 'ipv4' : 'ipv6')
  }
}

/**
 * Returns the address that a request came from, or undefined if the header holds no address.
 *
 * With `trustProxy` it is the last address in `X-Forwarded-For`, which the proxy before the connector has appended. The
 * addresses before it come from the caller and prove nothing. The port must therefore not be reachable past the proxy, and
 * in a chain of proxies the first one must send a header with a single address. Without the header it is the address of
 * the socket.
 */
export const clientAddress = (
  remote: string | undefined,
  forwardedFor: string | string[] | undefined,
  trustProxy: boolean,
): string | undefined => {
  if (!trustProxy || forwardedFor === undefined) return remote === undefined ? undefined : normalizeAddress(remote)
  const addresses = typeof forwardedFor === 'string' ? forwardedFor : forwardedFor.join(',')
  return normalizeAddress(addresses.slice(addresses.lastIndexOf(',') + 1).trim())
}

/** Removes port, brackets and zone, and turns an IPv4-mapped IPv6 address into IPv4. */
const normalizeAddress = (text: string): string | undefined => {
  const host = /^\[(?<inner>[^\]]+)\](?::\d+)?$/.exec(text)?.groups?.['inner'] ?? text
  const withoutPort = /^[\d.]+:\d+$/.test(host) ? host.slice(0, host.indexOf(':')) : host
  const withoutZone = withoutPort.includes('%') ? withoutPort.slice(0, withoutPort.indexOf('%')) : withoutPort
  const address = toIpv4IfMapped(withoutZone)
  return isIP(address) === 0 ? undefined : address
}

const toIpv4IfMapped = (address: string): string => {
  if (!/^::ffff:/i.test(address)) return address
  const ipv4 = address.slice('::ffff:'.length)
  return isIPv4(ipv4) ? ipv4 : address
}
