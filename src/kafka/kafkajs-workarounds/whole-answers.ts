/**
 * Gives kafkajs whole answers only.
 *
 * kafkajs 2.2.4 puts answers together in its Connection, and connects that same Connection again after the socket has
 * died – with the beginning of the answer that died still in it. Every answer of the new socket is then read out of
 * step: calls time out, or a length is read where none is and the `RangeError` ends the process. So what is half an
 * answer stays here, and goes with its socket.
 */
import type { Socket } from 'node:net'

/** Bytes of the length that each answer begins with; it does not count itself. */
const LENGTH = 4

/** To be called before anything listens that is to be given whole answers. */
export function deliverWholeResponses(socket: Socket): void {
  const on = socket.on.bind(socket) as (event: string, listener: (...args: never[]) => void) => Socket
  socket.on = (event: string, listener: (...args: never[]) => void): Socket =>
    on(event, event === 'data' ? whole(socket, listener as unknown as (answers: Buffer) => void) : listener)
}

const whole = (socket: Socket, give: (answers: Buffer) => void): ((chunk: Buffer) => void) => {
  let chunks: Buffer[] = []
  let held = 0
  let needed = LENGTH
  return (chunk) => {
    chunks.push(chunk)
    held += chunk.length
    if (held < needed) return
    const bytes = chunks.length === 1 ? chunk : Buffer.concat(chunks, held)
    let end = 0
    needed = LENGTH
    while (bytes.length - end >= LENGTH) {
      const length = bytes.readInt32BE(end)
      if (length < 0) return void socket.destroy(new Error(`what answers is no Kafka broker: a length of ${length}`))
      if (bytes.length - end < LENGTH + length) {
        needed = LENGTH + length
        break
      }
      end += LENGTH + length
    }
    chunks = end < bytes.length ? [bytes.subarray(end)] : []
    held = bytes.length - end
    if (end === 0) return
    try {
      give(bytes.subarray(0, end))
    } catch (error) {
      // An answer that kafkajs can't read is a broken connection, not the end of this process.
      socket.destroy(error as Error)
    }
  }
}
