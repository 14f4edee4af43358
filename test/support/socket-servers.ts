import { createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import { Server as TlsServer } from 'node:tls'

/** Servers whose answers a test writes to the socket, byte by byte. */
export class SocketServers {
  readonly #servers: Server[] = []
  readonly #sockets = new Set<Socket>()

  /**
   * Opens a port on which `answer` is called with the socket of each request and the number of the request, from 1.
   * @param onConnection is called for each connection, after the handshake of TLS
   * @returns the port
   */
  async listen(
    answer: (socket: Socket, request: number) => unknown,
    { server = createServer(), onConnection = () => {} }: { server?: Server; onConnection?: () => void } = {},
  ): Promise<number> {
    let requests = 0
    this.#servers.push(server)
    server.on(server instanceof TlsServer ? 'secureConnection' : 'connection', (socket: Socket) => {
      onConnection()
      this.#sockets.add(socket)
      socket.on('close', () => this.#sockets.delete(socket)).on('error', () => {})
      socket.on('data', () => {
        requests++
        answer(socket, requests)
      })
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    return (server.address() as AddressInfo).port
  }

  async closeAll(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy()
    await Promise.all(this.#servers.splice(0).map((server) => new Promise((resolve) => server.close(resolve))))
  }
}
