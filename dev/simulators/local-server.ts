import { createServer } from 'node:http'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

/** An HTTP server on 127.0.0.1 that can be stopped at once, even while clients are connected. */
export interface LocalServer {
  readonly port: number
  readonly origin: string
  /** Cuts every connection. Safe to call twice. */
  stop(): Promise<void>
}

/**
 * Starts a server.
 * @param port 0 lets the operating system choose a free port
 * @param keepAliveTimeoutMs how long an idle connection stays open; with a short time clients encounter connections that the
 *   server closes while they send a request
 */
export async function serve(
  handle: (request: IncomingMessage, response: ServerResponse) => Promise<void>,
  port = 0,
  keepAliveTimeoutMs = 5_000,
): Promise<LocalServer> {
  const server = createServer({ keepAliveTimeout: keepAliveTimeoutMs }, (request, response) => {
    handle(request, response).catch((error: unknown) => {
      // The client closed the connection during its own request; no client waits for an answer.
      if (response.destroyed || request.destroyed) return
      response.writeHead(500, { 'content-type': 'text/plain' }).end(`simulator: ${String(error)}`)
    })
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, '127.0.0.1', resolve)
  })
  const actualPort = (server.address() as AddressInfo).port
  return {
    port: actualPort,
    origin: `http://127.0.0.1:${actualPort}`,
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

export async function bodyOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks).toString('utf8')
}

export function answerJson(response: ServerResponse, value: unknown, status = 200): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(value))
}
