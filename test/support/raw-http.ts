/** HTTP as bytes on a socket, for what no client library would send, or would hide. */
import { connect, type Socket } from 'node:net'
import { once } from 'node:events'

export interface RawAnswer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

export class RawConnection {
  readonly socket: Socket
  /** What has come and was not read with `answer`. */
  #received = ''
  #ended = false
  #failed: Error | undefined

  private constructor(socket: Socket) {
    this.socket = socket
    socket.setEncoding('latin1')
    socket.on('data', (chunk: string) => (this.#received += chunk))
    socket.on('end', () => (this.#ended = true))
    socket.on('close', () => (this.#ended = true))
    socket.on('error', (error) => (this.#failed = error))
  }

  static async to(port: number): Promise<RawConnection> {
    const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true })
    await once(socket, 'connect')
    return new RawConnection(socket)
  }

  /** The error that the connection broke with, a reset for instance. */
  get failed(): Error | undefined {
    return this.#failed
  }

  send(bytes: string | Uint8Array): void {
    this.socket.write(typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes)
  }

  /** Resolves once the operating system has taken the bytes, or the connection is gone. */
  sent(bytes: string | Uint8Array): Promise<void> {
    return new Promise((resolve) => this.socket.write(bytes, () => resolve()))
  }

  /** The next answer; one with `content-length`. */
  async answer(): Promise<RawAnswer> {
    for (;;) {
      const head = this.#received.indexOf('\r\n\r\n')
      if (head !== -1) {
        const [line = '', ...lines] = this.#received.slice(0, head).split('\r\n')
        const headers = Object.fromEntries(
          lines.map((each) => {
            const colon = each.indexOf(':')
            return [each.slice(0, colon).toLowerCase(), each.slice(colon + 1).trim()]
          }),
        )
        const end = head + 4 + Number(headers['content-length'] ?? 0)
        if (this.#received.length >= end) {
          const body = this.#received.slice(head + 4, end)
          this.#received = this.#received.slice(end)
          return { status: Number(line.split(' ')[1]), headers, body }
        }
      }
      if (this.#ended || this.#failed) {
        throw new Error(`the connection ended with '${this.#received}' (${this.#failed?.message ?? 'no error'})`)
      }
      await Promise.race([once(this.socket, 'data'), once(this.socket, 'close'), once(this.socket, 'end')])
    }
  }

  /** Resolves when the other side has closed, with what it had still sent. */
  async ended(): Promise<string> {
    while (!this.#ended) await Promise.race([once(this.socket, 'end'), once(this.socket, 'close')]).catch(() => {})
    return this.#received
  }

  close(): void {
    this.socket.destroy()
  }
}
