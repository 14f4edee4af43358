/** Stands before a server that others use too: closed, the server is away for whoever comes through here. */
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net'

export class TcpGate {
  readonly #target: URL
  readonly #sockets = new Set<Socket>()
  #server: Server | undefined
  #port = 0

  private constructor(target: URL) {
    this.#target = target
  }

  /** Open. @param url of a server that speaks plain HTTP */
  static async startInFrontOf(url: string): Promise<TcpGate> {
    const gate = new TcpGate(new URL(url))
    await gate.open()
    return gate
  }

  /** The server's URL, through here. */
  get url(): string {
    const url = new URL(this.#target)
    url.host = `127.0.0.1:${this.#port}`
    return url.href.replace(/\/$/, '')
  }

  async open(): Promise<void> {
    const server = (this.#server = createServer((socket) => this.#accept(socket)))
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      server.listen(this.#port, '127.0.0.1', resolve)
    })
    this.#port = (server.address() as AddressInfo).port
  }

  /** Cuts what is open; connections are refused from now on. */
  async close(): Promise<void> {
    const server = this.#server
    this.#server = undefined
    for (const socket of this.#sockets) socket.destroy()
    if (server) await new Promise<void>((resolve) => server.close(() => resolve()))
  }

  #accept(from: Socket): void {
    const to = connect({ host: this.#target.hostname, port: Number(this.#target.port || 80) })
    for (const [one, other] of [
      [from, to],
      [to, from],
    ] as const) {
      this.#sockets.add(one)
      one.once('close', () => {
        this.#sockets.delete(one)
        other.destroy()
      })
      one.on('error', () => other.destroy())
      one.pipe(other)
    }
  }
}
