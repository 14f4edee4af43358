/** The HTTP server under the callbacks port: its limits, and TLS. */
import { createServer, type RequestListener, type Server } from 'node:http'
import { createServer as createTlsServer } from 'node:https'

/** PEM. With `clientCa` a caller must present a certificate that it signed. */
export interface ServerTls {
  readonly cert: string | Buffer
  readonly key: string | Buffer
  readonly clientCa?: string | Buffer | undefined
}

const LIMITS = {
  /** Of request line and headers. */
  maxHeaderSize: 64 * 1024,
  /**
   * Headers, and all of a request, must be here within. A caller that drips holds its socket and what it has sent until
   * then, nothing else.
   */
  headersTimeout: 20_000,
  requestTimeout: 120_000,
  connectionsCheckingInterval: 5_000,
  /** Callers keep connections open between bursts, for about a minute: we must not be the first to close one. */
  keepAliveTimeout: 75_000,
  /** HTTP/1.1 wants one; a callback without is still the only one that will come. */
  requireHostHeader: false,
}

export const httpServer = (tls: ServerTls | undefined, listener: RequestListener): Server => {
  const server = tls === undefined ? createServer(LIMITS, listener) : tlsServer(tls, listener)
  server.maxHeadersCount = 0 // by default headers beyond the 2000th, a guard's among them, vanish silently
  return server
}

const tlsServer = ({ cert, key, clientCa }: ServerTls, listener: RequestListener): Server => {
  const mutual = clientCa === undefined ? {} : { ca: clientCa, requestCert: true, rejectUnauthorized: true }
  return createTlsServer({ ...LIMITS, cert, key, ...mutual }, listener)
}
