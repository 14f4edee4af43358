/** Which addresses may call back, and whose address a request has. */
import { BlockList, isIP, isIPv4 } from 'node:net'
import { ConnectorError } from '../core/errors.js'

/** Matches addresses against ranges in CIDR notation, IPv4 and IPv6; a bare address is a range of one. */
export class AddressRanges {
  readonly #list = new BlockList()

  /**
   * @param key of the configuration, for the error
   * @throws ConnectorError CONFIG_INVALID
   */
  constructor(ranges: readonly string[], key: string) {
    for (const range of ranges) this.#add(range, key)
  }

  /** @param address as `clientAddress` gives it; undefined is in no range */
  has(address: string | undefined): boolean {
    if (address === undefined) return false
    return this.#list.check(address, isIPv4(address) ? 'ipv4' : 'ipv6')
  }

  #add(range: string, key: string): void {
    const [text = '', bits, ...more] = range.split('/')
    const address = unmapped(text)
    const version = isIP(address)
    const width = version === 4 ? 32 : 128
    // `::ffff:10.0.0.0/104` is `10.0.0.0/8`.
    const length = bits === undefined ? width : Number(bits) - (address === text ? 0 : 96)
    const written = bits === undefined || /^\d{1,3}$/.test(bits)
    if (version === 0 || more.length > 0 || !written || length < 0 || length > width) {
      throw new ConnectorError(
        'CONFIG_INVALID',
        `${key}: found '${range}'; expected an address or a range like 195.201.160.143/32 or 2a01:4f8:13a:8e7::/64`,
      )
    }
    this.#list.addSubnet(address, length, version === 4 ? 'ipv4' : 'ipv6')
  }
}

/**
 * The address that a request came from.
 *
 * With `trustProxy` it is the last one of `X-Forwarded-For`: the one that our own proxy saw and appended. What stands
 * before it was said by the caller. So the port must not be reachable past the proxy, and one proxy is what this
 * serves; of a chain of them the first must pass on a header of one address. Without the header the socket's counts.
 *
 * @returns undefined when the header holds no address
 */
export const clientAddress = (
  remote: string | undefined,
  forwardedFor: string | string[] | undefined,
  trustProxy: boolean,
): string | undefined => {
  if (!trustProxy || forwardedFor === undefined) return remote === undefined ? undefined : plain(remote)
  const all = typeof forwardedFor === 'string' ? forwardedFor : forwardedFor.join(',')
  return plain(all.slice(all.lastIndexOf(',') + 1).trim())
}

/** Without port, brackets, zone, and the IPv6 form of an IPv4 address. */
const plain = (text: string): string | undefined => {
  const host = /^\[(?<inner>[^\]]+)\](?::\d+)?$/.exec(text)?.groups?.['inner'] ?? text
  const bare = /^[\d.]+:\d+$/.test(host) ? host.slice(0, host.indexOf(':')) : host
  const address = unmapped(bare.includes('%') ? bare.slice(0, bare.indexOf('%')) : bare)
  return isIP(address) === 0 ? undefined : address
}

const unmapped = (address: string): string => {
  if (!/^::ffff:/i.test(address)) return address
  const last = address.slice(7)
  return isIPv4(last) ? last : address
}
