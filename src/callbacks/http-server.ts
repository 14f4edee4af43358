import { createServer, type RequestListener, type Server } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { CallbacksConfig } from '../config/types.js'

const SERVER_OPTIONS = {
  /** For request line and headers together. */
  maxHeaderSize: 64 * 1024,
  /** A slow caller holds its socket and the bytes that it has sent, and nothing else, until these limits. */
  headersTimeout: 20_000,
  requestTimeout: 120_000,
  connectionsCheckingInterval: 5_000,
  /** Callers keep connections open between bursts, for about a minute. The server must not be the first to close one. */
  keepAliveTimeout: 75_000,
  /** HTTP/1.1 requires the header, but a callback without it comes only once as well. */
  requireHostHeader: false,
}

/** Creates the HTTP or HTTPS server behind the callbacks port. With `clientCa`, callers must present a certificate. */
export const createHttpServer = (tls: CallbacksConfig['tls'], listener: RequestListener): Server => {
  const server = tls === undefined ? createServer(SERVER_OPTIONS, listener) : createHttpsServer(tls, listener)
  // By default Node silently drops headers after the 2000th, which may be those that authenticate the caller.
  server.maxHeadersCount = 0
  return server
}

const createHttpsServer = (
  { cert, key, clientCa }: NonNullable<CallbacksConfig['tls']>,
  listener: RequestListener,
): Server => {
  const clientAuthentication =
    clientCa === undefined ? {} : { ca: clientCa, requestCert: true, rejectUnauthorized: true }
  return createTlsServer({ ...SERVER_OPTIONS, cert, key, ...clientAuthentication }, listener)
}
