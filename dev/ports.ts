import { createServer } from 'node:net'

const FIRST_PORT = 20_000
const LAST_PORT = 29_999
const MAX_ATTEMPTS = 100

/**
 * A port of 127.0.0.1 that is free now, for a server that must know its port before it starts and return to the same port
 * after it was killed.
 *
 * The port is below the ephemeral range, which begins at 32768 on Linux. Inside that range a client that keeps connecting
 * to a dead server is eventually given the same port as its own source port. It is then connected to itself, and the
 * server cannot return.
 *
 * Another process may take the port before the caller does, so that callers try again with another one.
 */
export async function freePort(): Promise<number> {
  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt += 1) {
    const port = FIRST_PORT + Math.floor(Math.random() * (LAST_PORT - FIRST_PORT + 1))
    if (await canListen(port)) return port
  }
  throw new Error(`There is no free port between ${FIRST_PORT} and ${LAST_PORT} on 127.0.0.1.`)
}

function canListen(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => resolve(false))
    server.listen({ host: '127.0.0.1', port, exclusive: true }, () => server.close(() => resolve(true)))
  })
}
