/**
 * Which requests go through an HTTP proxy. The rules of `noProxy` are those of curl and of most other programs; no standard
 * defines them.
 */
import { BlockList, isIP } from 'node:net'
import { STATUS_CODES } from 'node:http'
import { basicAuthorization } from './basic-authorization.js'
import { messageOf } from '../core/errors.js'
import { quote } from '../masking/known-secrets.js'
import type { ProxyServer, ProxySettings } from './settings.js'
import { tlsAdvice } from './tls.js'

const DEFAULT_PORTS: Readonly<Record<string, number>> = { 'http:': 80, 'https:': 443 }

export const portOf = ({ protocol, port }: URL): number => Number(port) || (DEFAULT_PORTS[protocol] ?? 0)

/** The host of a URL without the brackets of an IPv6 address. */
export const hostOf = ({ hostname }: URL): string => hostname.replace(/^\[(.*)\]$/, '$1')

/** Returns the proxy for a request to `address`; undefined if it is connected to directly. */
export const proxyFor = (address: URL, settings: ProxySettings | undefined): ProxyServer | undefined => {
  if (settings === undefined) return undefined
  const proxy = address.protocol === 'https:' ? settings.https : settings.http
  if (proxy === undefined) return undefined
  return settings.noProxy.some((entry) => isExempt(entry, hostOf(address), portOf(address))) ? undefined : proxy
}

/**
 * Whether an entry of `noProxy` exempts a host: `*` exempts every host, `example.com`, `.example.com` and `*.example.com`
 * the domain and its subdomains, `192.0.2.7` and `2001:db8::7` one address, `192.0.2.0/24` a range of addresses. Each but the
 * range may be limited to a port: `example.com:8443`, `[2001:db8::7]:8443`. Names are not resolved to compare their addresses.
 */
const isExempt = (entry: string, host: string, port: number): boolean => {
  if (entry === '*') return true
  if (entry.includes('/')) return isInRange(entry, host)
  const { name, port: onlyPort } = splitPort(entry)
  if (onlyPort !== undefined && onlyPort !== port) return false
  if (isIP(name) !== 0) return isInRange(`${name}/${isIP(name) === 4 ? 32 : 128}`, host)
  const domain = withoutLastDot(name.toLowerCase().replace(/^\*?\./, ''))
  const hostName = withoutLastDot(host.toLowerCase())
  return domain !== '' && (hostName === domain || (isIP(host) === 0 && hostName.endsWith(`.${domain}`)))
}

/** A fully qualified name may end with the dot of the root zone. */
const withoutLastDot = (name: string): string => name.replace(/\.$/, '')

const splitPort = (entry: string): { name: string; port?: number } => {
  const [, inBrackets, portBehindBrackets] = /^\[([^\]]*)\](?::(\d+))?$/.exec(entry) ?? []
  if (inBrackets !== undefined) {
    return { name: inBrackets, ...(portBehindBrackets !== undefined && { port: Number(portBehindBrackets) }) }
  }
  if (isIP(entry) === 6) return { name: entry }
  const [, name, port] = /^([^:]*):(\d+)$/.exec(entry) ?? []
  return name === undefined ? { name: entry } : { name, port: Number(port) }
}

const isInRange = (range: string, host: string): boolean => {
  const [network = '', prefix = ''] = range.replace(/[[\]]/g, '').split('/')
  const family = isIP(network)
  const bits = Number(prefix)
  if (family === 0 || isIP(host) !== family || !/^\d+$/.test(prefix) || bits > (family === 4 ? 32 : 128)) return false
  const type = family === 4 ? 'ipv4' : 'ipv6'
  const addresses = new BlockList()
  addresses.addSubnet(network, bits, type)
  return addresses.check(host, type)
}

/** The value of the header Proxy-Authorization; undefined for a proxy without credentials. */
export const proxyAuthorization = ({ username, password = '' }: ProxyServer): string | undefined =>
  username === undefined ? undefined : basicAuthorization(username, password)

/** Scheme, host and port of a proxy, as they may be shown. */
export const proxyAddress = ({ url }: ProxyServer): string => new URL(url).origin

/** A failure of the proxy, which says nothing about the server behind it. */
export class ProxyError extends Error {
  override readonly name = 'ProxyError'
  /** The status of the proxy's answer; null if there is none. */
  readonly status: number | null

  constructor(message: string, status: number | null, options?: ErrorOptions) {
    super(message, options)
    this.status = status
  }
}

const GATEWAY_REMEDY = "the proxy can't reach the server: check the address, and the log of the proxy"

/** What to do about an answer of a proxy, by its usual cause. */
const remedyFor = (status: number, origin: string): string => {
  if (status === 407) {
    const credentials = origin === 'proxy.url' ? 'proxy.username and proxy.password' : `user and password in ${origin}`
    return `check ${credentials}`
  }
  const exemption = origin === 'proxy.url' ? 'proxy.noProxy' : 'NO_PROXY'
  if (status === 403 || status === 405) {
    return `allow this host and port, and CONNECT to it, on the proxy, or list the host in ${exemption}`
  }
  return status >= 500 ? GATEWAY_REMEDY : `check that ${origin} is the address of an HTTP proxy`
}

/** @param target host and port that the tunnel was requested for, or the address that the proxy was to request */
export const refusedByProxy = (proxy: ProxyServer, target: string, status: number): ProxyError => {
  const meaning = STATUS_CODES[status]
  const answer = meaning === undefined ? String(status) : `${status} ${meaning}`
  const remedy = remedyFor(status, proxy.origin)
  return new ProxyError(`the proxy ${proxyAddress(proxy)} answers ${answer} for ${target}; ${remedy}`, status)
}

/** @param error what happened on the connection to the proxy */
export const unreachableProxy = (proxy: ProxyServer, target: string, error: unknown): ProxyError => {
  const remedy =
    tlsAdvice(error, 'proxy.tls', proxy.origin, proxy.url) ?? `check ${proxy.origin}, and whether the proxy runs`
  const message = `the proxy ${proxyAddress(proxy)} opens no tunnel to ${target}: ${quote(messageOf(error))}; ${remedy}`
  return new ProxyError(message, null, { cause: error })
}
