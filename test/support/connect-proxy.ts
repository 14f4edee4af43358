/** A proxy whose answers a test chooses. The behaviour of a real one is tested in test/integration/connections.test.ts. */
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { connect, type AddressInfo, type Socket } from 'node:net'

type Refusal = { readonly status: number; readonly body?: string } | 'silence' | 'garbage' | 'close'

export class ConnectProxy {
  readonly #server = createServer((request, response) => this.#forward(request, response))
  readonly #sockets = new Set<Socket>()
  /** The targets of CONNECT, and the addresses that were requested from the proxy itself. */
  readonly targets: string[] = []
  readonly authorizations: (string | undefined)[] = []
  /** Answers with this instead of a tunnel. */
  refusal: Refusal | undefined
  /** Sent before the answer to CONNECT. */
  interimAnswer = ''

  static async start(): Promise<ConnectProxy> {
    const proxy = new ConnectProxy()
    proxy.#server.on('connection', (socket) => proxy.#own(socket))
    proxy.#server.on('connect', (request, socket: Socket, head) => proxy.#tunnel(request, socket, head))
    proxy.#server.listen(0, '127.0.0.1')
    await once(proxy.#server, 'listening')
    return proxy
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  async stop(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy()
    await new Promise((resolve) => this.#server.close(resolve))
  }

  #own(socket: Socket): void {
    this.#sockets.add(socket)
    socket.on('error', () => undefined).on('close', () => this.#sockets.delete(socket))
  }

  #record({ url = '', headers }: IncomingMessage): void {
    this.targets.push(url)
    this.authorizations.push(headers['proxy-authorization'])
  }

  #tunnel(request: IncomingMessage, socket: Socket, head: Buffer): void {
    this.#record(request)
    const { refusal } = this
    if (refusal === 'silence') return
    if (refusal === 'close') return void socket.end()
    if (refusal === 'garbage') return void socket.end('SSH-2.0-OpenSSH_9.2\r\n')
    if (refusal !== undefined) {
      const body = refusal.body ?? ''
      return void socket.end(`HTTP/1.1 ${refusal.status} Refused\r\ncontent-length: ${body.length}\r\n\r\n${body}`)
    }
    const target = new URL(`http://${request.url}`)
    const upstream = connect(Number(target.port), target.hostname.replace(/^\[(.*)\]$/, '$1'), () => {
      socket.write(`${this.interimAnswer}HTTP/1.1 200 Connection established\r\n\r\n`)
      upstream.write(head)
      upstream.pipe(socket)
      socket.pipe(upstream)
    })
    this.#own(upstream)
  }

  #forward(request: IncomingMessage, response: ServerResponse): void {
    this.#record(request)
    const status = typeof this.refusal === 'object' ? this.refusal.status : 200
    response.writeHead(status, { 'content-type': 'application/json' }).end('{}')
  }
}
