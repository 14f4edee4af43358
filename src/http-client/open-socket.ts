/** Opens a socket to the host and port of a URL, with TLS for https. */
import { connect as connectTcp, isIP, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'

export interface OpeningSocket {
  readonly socket: Socket
  /** The event after which a request may be written; with TLS it comes after the handshake. */
  readonly readyEvent: 'connect' | 'secureConnect'
}

/** @param tlsSession the session of an earlier socket to the same host, which TLS resumes */
export const openSocket = ({ protocol, hostname, port }: URL, tlsSession?: Buffer): OpeningSocket => {
  const isTls = protocol === 'https:'
  // A URL has IPv6 addresses in brackets.
  const host = hostname.replace(/^\[(.*)\]$/, '$1')
  const target = { host, port: Number(port) || (isTls ? 443 : 80), noDelay: true }
  if (!isTls) return { socket: connectTcp(target), readyEvent: 'connect' }
  const socket = connectTls({
    ...target,
    ALPNProtocols: ['http/1.1'],
    // The name that TLS sends must not be an address (RFC 6066, section 3).
    ...(isIP(host) === 0 && { servername: host }),
    ...(tlsSession !== undefined && { session: tlsSession }),
  })
  return { socket, readyEvent: 'secureConnect' }
}
