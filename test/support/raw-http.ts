/** HTTP as bytes on a socket, for requests that no client library would send and answers that it would hide. */
import { connect, type Socket } from 'node:net'
import { once } from 'node:events'

export interface RawAnswer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

export class RawConnection {
  readonly socket: Socket
  /** What has arrived and was not read by `readAnswer`. */
  #received = ''
  #hasEnded = false
  #error: Error | undefined

  private constructor(socket: Socket) {
    this.socket = socket
    socket.setEncoding('latin1')
    socket.on('data', (chunk: string) => (this.#received += chunk))
    socket.on('end', () => {
      this.#hasEnded = true
    })
    socket.on('close', () => {
      this.#hasEnded = true
    })
    socket.on('error', (error) => {
      this.#error = error
    })
  }

  /** @param from the address of the client, in the loopback network */
  static async open(port: number, from = '127.0.0.1'): Promise<RawConnection> {
    const socket = connect({ port, host: '127.0.0.1', localAddress: from, allowHalfOpen: true })
    await once(socket, 'connect')
    return new RawConnection(socket)
  }

  /** The error that broke the connection, for example a reset. */
  get error(): Error | undefined {
    return this.#error
  }

  send(bytes: string | Uint8Array): void {
    this.socket.write(typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes)
  }

  /** Resolves once the operating system has taken the bytes, or the connection is broken. */
  sendAndFlush(bytes: string | Uint8Array): Promise<void> {
    return new Promise((resolve) => this.socket.write(bytes, () => resolve()))
  }

  /** Resolves with the next answer, whose body has the length that `content-length` gives. */
  async readAnswer(): Promise<RawAnswer> {
    for (;;) {
      const headEnd = this.#received.indexOf('\r\n\r\n')
      if (headEnd !== -1) {
        const [statusLine = '', ...headerLines] = this.#received.slice(0, headEnd).split('\r\n')
        const headers = Object.fromEntries(
          headerLines.map((line) => {
            const colon = line.indexOf(':')
            return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()]
          }),
        )
        const bodyStart = headEnd + '\r\n\r\n'.length
        const bodyEnd = bodyStart + Number(headers['content-length'] ?? 0)
        if (this.#received.length >= bodyEnd) {
          const body = this.#received.slice(bodyStart, bodyEnd)
          this.#received = this.#received.slice(bodyEnd)
          return { status: Number(statusLine.split(' ')[1]), headers, body }
        }
      }
      if (this.#hasEnded || this.#error) {
        throw new Error(`the connection ended with '${this.#received}' (${this.#error?.message ?? 'no error'})`)
      }
      await Promise.race([once(this.socket, 'data'), once(this.socket, 'close'), once(this.socket, 'end')])
    }
  }

  /** Resolves when the other side has closed the connection, with what it sent before and was not read. */
  async untilEnded(): Promise<string> {
    while (!this.#hasEnded) await Promise.race([once(this.socket, 'end'), once(this.socket, 'close')]).catch(() => {})
    return this.#received
  }

  close(): void {
    this.socket.destroy()
  }
}
