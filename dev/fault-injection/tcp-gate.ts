/** A TCP proxy in front of a server that others use too. While it is closed, the server is away for its clients. */
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net'

export class TcpGate {
  readonly #target: URL
  readonly #sockets = new Set<Socket>()
  #server: Server | undefined
  #port = 0

  private constructor(target: URL) {
    this.#target = target
  }

  /** Returns an open gate. @param url of a server that speaks plain HTTP */
  static async startInFrontOf(url: string): Promise<TcpGate> {
    const gate = new TcpGate(new URL(url))
    await gate.open()
    return gate
  }

  /** The URL of the server, with the address of the gate. */
  get url(): string {
    const url = new URL(this.#target)
    url.host = `127.0.0.1:${this.#port}`
    return url.href.replace(/\/$/, '')
  }

  /** Listens, each time on the same port. */
  async open(): Promise<void> {
    const server = createServer((socket) => this.#accept(socket))
    this.#server = server
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      server.listen(this.#port, '127.0.0.1', resolve)
    })
    this.#port = (server.address() as AddressInfo).port
  }

  /** Cuts all connections. New ones are refused until `open`. */
  async close(): Promise<void> {
    const server = this.#server
    this.#server = undefined
    for (const socket of this.#sockets) socket.destroy()
    if (server) await new Promise<void>((resolve) => server.close(() => resolve()))
  }

  #accept(client: Socket): void {
    const server = connect({ host: this.#target.hostname, port: Number(this.#target.port || 80) })
    this.#join(client, server)
    this.#join(server, client)
  }

  #join(from: Socket, to: Socket): void {
    this.#sockets.add(from)
    from.once('close', () => {
      this.#sockets.delete(from)
      to.destroy()
    })
    from.on('error', () => to.destroy())
    from.pipe(to)
  }
}
