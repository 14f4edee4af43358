/**
 * Opens a socket to the host and port of a URL: directly or through a proxy, with TLS for https.
 *
 * Through a proxy the socket is a tunnel (CONNECT; RFC 9110, section 9.3.6) for http addresses too. A proxy that is asked for
 * the page itself may repeat a GET by itself (RFC 9110, section 9.2.2), and answers in the name of the provider: neither is
 * acceptable where a queue forgets what it hands out. What comes through a tunnel was sent by the server at its end.
 */
import { connect as connectTcp, type Socket } from 'node:net'
import { connect as connectTls, type TLSSocket } from 'node:tls'
import { hostOf, portOf, proxyAuthorization, refusedByProxy, unreachableProxy } from './proxy.js'
import type { ProxyServer } from './settings.js'
import { tlsOptionsFor } from './tls.js'
import type { ClientTls } from './settings.js'

export interface SocketOptions {
  readonly tls?: ClientTls | undefined
  /** If left out, the connection is direct. */
  readonly proxy?: ProxyServer | undefined
  /** The TLS session of an earlier socket to the same host, which is resumed. */
  readonly tlsSession?: Buffer | undefined
  /** Called with each session that the server offers for later sockets. */
  readonly onTlsSession?: (session: Buffer) => void
}

export interface OpeningSocket {
  /**
   * Resolves with the socket once a request may be written to it, with TLS after the handshake. No byte of the server has
   * been read by then. Rejects with ProxyError if the proxy is the reason, else with the error of the socket.
   */
  readonly ready: Promise<Socket>
  /** Destroys the socket, which is open or still being opened. */
  destroy(): void
}

export const openSocket = (address: URL, options: SocketOptions = {}): OpeningSocket => {
  const opener = new SocketOpener(address, options)
  const ready = opener.open()
  // The caller may have given up before the socket failed.
  ready.catch(() => undefined)
  return { ready, destroy: () => opener.destroy() }
}

/** The longest header section of a proxy's answer to CONNECT that is read. */
const MAX_PROXY_ANSWER_BYTES = 64 * 1024
const STATUS_LINE = /^HTTP\/1\.[01] ([1-5]\d\d)(?: |\r?\n)/
/** The end of a header section; RFC 9112, section 2.2 allows a recipient to take a bare line feed for a line end. */
const END_OF_HEAD = /\r?\n\r?\n/

class SocketOpener {
  readonly #address: URL
  readonly #options: SocketOptions
  /** Every socket of the connection: the one to the proxy, and those of TLS in it. */
  readonly #sockets: Socket[] = []

  constructor(address: URL, options: SocketOptions) {
    this.#address = address
    this.#options = options
  }

  async open(): Promise<Socket> {
    const { tls, proxy } = this.#options
    const target = { host: hostOf(this.#address), port: portOf(this.#address) }
    const isTls = this.#address.protocol === 'https:'
    const tunnel = proxy === undefined ? undefined : await this.#openTunnel(proxy, target)
    if (!isTls) return tunnel ?? this.#connect(target)
    return this.#startTls(target, tls, tunnel, true)
  }

  destroy(): void {
    for (const socket of this.#sockets) socket.destroy()
  }

  #connect(target: { readonly host: string; readonly port: number }): Promise<Socket> {
    const socket = this.#own(connectTcp({ ...target, noDelay: true }))
    return untilReady(socket, 'connect')
  }

  /** @param transport the open connection that TLS runs in; a new one if it is left out */
  #startTls(
    { host, port }: { readonly host: string; readonly port: number },
    tls: ClientTls | undefined,
    transport: Socket | undefined,
    isLast: boolean,
  ): Promise<Socket> {
    const { tlsSession, onTlsSession } = this.#options
    const socket: TLSSocket = connectTls({
      ...(transport === undefined ? { host, port, noDelay: true } : { socket: transport }),
      ...tlsOptionsFor(host, tls),
      ...(isLast && tlsSession !== undefined && { session: tlsSession }),
    })
    if (isLast && onTlsSession !== undefined) socket.on('session', onTlsSession)
    this.#own(socket)
    return untilReady(socket, 'secureConnect')
  }

  async #openTunnel(
    proxy: ProxyServer,
    { host, port }: { readonly host: string; readonly port: number },
  ): Promise<Socket> {
    const authority = `${host.includes(':') ? `[${host}]` : host}:${port}`
    const proxyUrl = new URL(proxy.url)
    const proxyTarget = { host: hostOf(proxyUrl), port: portOf(proxyUrl) }
    let socket: Socket
    let answer: ProxyAnswer
    try {
      socket = await (proxyUrl.protocol === 'https:'
        ? this.#startTls(proxyTarget, proxy.tls, undefined, false)
        : this.#connect(proxyTarget))
      answer = await requestTunnel(socket, authority, proxyAuthorization(proxy))
    } catch (error) {
      throw unreachableProxy(proxy, authority, error)
    }
    const { status, rest } = answer
    if (status >= 200 && status <= 299) {
      // What follows the header section of a 2xx answer to CONNECT comes from the server at the end of the tunnel.
      if (rest.byteLength > 0) socket.unshift(rest)
      return socket
    }
    socket.destroy()
    throw refusedByProxy(proxy, authority, status)
  }

  #own(socket: Socket): Socket {
    // Without a listener, an error after the socket was given up would end the process.
    socket.on('error', () => undefined)
    this.#sockets.push(socket)
    return socket
  }
}

const untilReady = (socket: Socket, readyEvent: 'connect' | 'secureConnect'): Promise<Socket> =>
  new Promise((resolve, reject) => {
    socket.once(readyEvent, () => resolve(socket))
    socket.once('error', reject)
    socket.once('close', () => reject(new Error('the connection was closed before it was established')))
  })

interface ProxyAnswer {
  readonly status: number
  /** The bytes that arrived behind the header section. */
  readonly rest: Uint8Array
}

/** Sends CONNECT and reads the final answer; interim answers (1xx) are skipped. The socket is paused then. */
const requestTunnel = (socket: Socket, authority: string, authorization: string | undefined): Promise<ProxyAnswer> =>
  new Promise((resolve, reject) => {
    let received = Buffer.alloc(0)
    const onData = (bytes: Buffer): void => {
      received = Buffer.concat([received, bytes])
      const answer = readProxyAnswer(received)
      if (answer === undefined) return
      end()
      if (answer instanceof Error) reject(answer)
      else resolve(answer)
    }
    const onClose = (): void => {
      end()
      reject(new Error('it has closed the connection without an answer'))
    }
    const onError = (error: Error): void => {
      end()
      reject(error)
    }
    const end = (): void => {
      socket.pause()
      socket.off('data', onData).off('end', onClose).off('close', onClose).off('error', onError)
    }
    socket.on('data', onData).on('end', onClose).on('close', onClose).on('error', onError)
    const credentials = authorization === undefined ? '' : `proxy-authorization: ${authorization}\r\n`
    socket.write(`CONNECT ${authority} HTTP/1.1\r\nhost: ${authority}\r\n${credentials}\r\n`)
  })

/** Returns undefined while the header section of the final answer is not complete. */
const readProxyAnswer = (bytes: Buffer): ProxyAnswer | Error | undefined => {
  let start = 0
  for (;;) {
    // Latin-1 has one character for each byte, so that indexes agree.
    const text = bytes.toString('latin1', start)
    const end = END_OF_HEAD.exec(text)
    if (end === null) {
      const isLegible = 'HTTP/1.'.startsWith(text.slice(0, 7))
      if (isLegible && bytes.byteLength <= MAX_PROXY_ANSWER_BYTES) return undefined
      return new Error('its answer is not one of an HTTP proxy')
    }
    const [, status] = STATUS_LINE.exec(text) ?? []
    if (status === undefined) return new Error('its answer is not one of an HTTP proxy')
    start += end.index + end[0].length
    if (!status.startsWith('1')) return { status: Number(status), rest: bytes.subarray(start) }
  }
}
