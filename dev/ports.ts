import { createServer } from 'node:net'

/**
 * A port of 127.0.0.1 that was free a moment ago, for a server that must know its port before it starts, and come back
 * on the same one after a kill.
 *
 * Asked of the OS one by one, from below the ephemeral range (Linux: from 32768). Inside that range a client that keeps
 * knocking at a dead server is sooner or later given the very port as its own source port: it then connects to itself,
 * and the server can't come back.
 *
 * Somebody else may take the port before the caller does: callers try again with another.
 */
export async function freePort(): Promise<number> {
  for (let attempt = 0; attempt < 100; attempt += 1) {
    const port = 20_000 + Math.floor(Math.random() * 10_000)
    if (await canListen(port)) return port
  }
  throw new Error('no free port between 20000 and 30000 on 127.0.0.1')
}

function canListen(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => resolve(false))
    server.listen({ host: '127.0.0.1', port, exclusive: true }, () => server.close(() => resolve(true)))
  })
}
