/** The addresses of clients, and the ranges of the configuration that they are compared with. */
import { isIP, isIPv4 } from 'node:net'

/**
 * The 128 bits of an address as four unsigned numbers. IPv4 addresses are in their IPv4-mapped form, `::ffff:192.0.2.1`, so that
 * both ways of writing one are the same.
 */
type AddressBits = readonly [number, number, number, number]

interface Range {
  readonly network: AddressBits
  readonly masks: AddressBits
  /** Whether the range is of IPv4 addresses. `::/0` holds none of them. */
  readonly isIpv4: boolean
}

/** The first bits of an IPv4-mapped address, which are the same for all of them. */
const MAPPED_PREFIX_BITS = 96
const MAPPED_PREFIX = 0xffff

/** Ranges of IPv4 and IPv6 addresses. They are compared as numbers: the BlockList of node:net takes 25 times as long. */
export class AddressRanges {
  readonly #ranges: readonly Range[]

  /** @param ranges `address/prefixLength`, as the configuration returns them */
  constructor(ranges: readonly string[]) {
    this.#ranges = ranges.map((range) => {
      const [address = '', prefixLength] = range.split('/')
      const network = parseAddress(address)
      const bits = Number(prefixLength) + (isIPv4(address) ? MAPPED_PREFIX_BITS : 0)
      return { network, masks: masksOf(bits), isIpv4: isMapped(network) && bits >= MAPPED_PREFIX_BITS }
    })
  }

  /** @param address as `clientAddress` returns it; undefined is in no range */
  has(address: string | undefined): boolean {
    if (address === undefined) return false
    const bits = parseAddress(address)
    const isIpv4 = isMapped(bits)
    for (const { network, masks, isIpv4: isOfIpv4 } of this.#ranges) {
      if (isOfIpv4 === isIpv4 && isEqualUnder(masks, network, bits)) return true
    }
    return false
  }
}

const isEqualUnder = (masks: AddressBits, a: AddressBits, b: AddressBits): boolean =>
  ((a[0] ^ b[0]) & masks[0]) === 0 &&
  ((a[1] ^ b[1]) & masks[1]) === 0 &&
  ((a[2] ^ b[2]) & masks[2]) === 0 &&
  ((a[3] ^ b[3]) & masks[3]) === 0

const isMapped = ([first, second, third]: AddressBits): boolean =>
  first === 0 && second === 0 && third === MAPPED_PREFIX

const masksOf = (bits: number): AddressBits => {
  const mask = (from: number): number => {
    const ones = Math.min(Math.max(bits - from, 0), 32)
    return ones === 0 ? 0 : (0xffffffff << (32 - ones)) >>> 0
  }
  return [mask(0), mask(32), mask(64), mask(96)]
}

/** @param address a valid address without a zone */
const parseAddress = (address: string): AddressBits =>
  address.includes(':') ? parseIpv6(address) : [0, 0, MAPPED_PREFIX, parseIpv4(address)]

const parseIpv4 = (address: string): number => {
  let bits = 0
  for (const part of address.split('.')) bits = bits * 256 + Number(part)
  return bits
}

const parseIpv6 = (address: string): AddressBits => {
  const [head = '', tail] = address.split('::')
  const first = groupsOf(head)
  const last = tail === undefined ? [] : groupsOf(tail)
  const groups = [...first, ...new Array<number>(8 - first.length - last.length).fill(0), ...last]
  const word = (index: number): number => groups[2 * index]! * 0x10000 + groups[2 * index + 1]!
  return [word(0), word(1), word(2), word(3)]
}

/** Returns groups of 16 bits. The last part may be in the form of IPv4. */
const groupsOf = (text: string): number[] => {
  if (text === '') return []
  return text.split(':').flatMap((part) => {
    if (!part.includes('.')) return [parseInt(part, 16)]
    const bits = parseIpv4(part)
    return [Math.floor(bits / 0x10000), bits % 0x10000]
  })
}

/**
 * Returns what tells one caller from another: the address, and of an IPv6 address its first 64 bits, because one customer of a
 * network usually has all addresses that begin with them.
 * @param address as `clientAddress` returns it
 */
export const callerKey = (address: string | undefined): string => {
  if (address === undefined) return 'unknown'
  if (!address.includes(':')) return address
  const [first, second] = parseAddress(address)
  return `${first.toString(16)}:${second.toString(16)}/64`
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
