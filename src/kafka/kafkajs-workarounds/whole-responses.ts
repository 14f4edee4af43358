/**
 * Passes only whole responses from a socket to kafkajs.
 *
 * Defect: kafkajs 2.2.4 assembles responses in its Connection and reconnects the same Connection after its socket has died,
 * with the beginning of the response that died still in the buffer. Effect: it reads every response of the new socket out of
 * step. Calls time out, or a length is read where there is none and the `RangeError` ends the process. Remedy: a partial
 * response stays here and is discarded with its socket.
 *
 * This file can go when kafkajs clears its buffer on reconnect, or when the client no longer is kafkajs.
 */
import type { Socket } from 'node:net'

/** Each response begins with its length as an int32 that does not count itself. */
const LENGTH_BYTES = 4

/** Wraps the socket's `data` listeners. Call it before a listener is added that needs whole responses. */
export function deliverWholeResponses(socket: Socket): void {
  const on = socket.on.bind(socket) as (event: string, listener: (...args: never[]) => void) => Socket
  socket.on = (event: string, listener: (...args: never[]) => void): Socket => {
    const deliver = listener as unknown as (responses: Buffer) => void
    return on(event, event === 'data' ? collectResponses(socket, deliver) : listener)
  }
}

const collectResponses = (socket: Socket, deliver: (responses: Buffer) => void): ((chunk: Buffer) => void) => {
  let chunks: Buffer[] = []
  let heldBytes = 0
  let neededBytes = LENGTH_BYTES
  return (chunk) => {
    chunks.push(chunk)
    heldBytes += chunk.length
    if (heldBytes < neededBytes) return
    const bytes = chunks.length === 1 ? chunk : Buffer.concat(chunks, heldBytes)
    let end = 0
    neededBytes = LENGTH_BYTES
    while (bytes.length - end >= LENGTH_BYTES) {
      const length = bytes.readInt32BE(end)
      if (length < 0) {
        socket.destroy(new Error(`the peer is not a Kafka broker: it announces a response of ${length} bytes`))
        return
      }
      if (bytes.length - end < LENGTH_BYTES + length) {
        neededBytes = LENGTH_BYTES + length
        break
      }
      end += LENGTH_BYTES + length
    }
    chunks = end < bytes.length ? [bytes.subarray(end)] : []
    heldBytes = bytes.length - end
    if (end === 0) return
    try {
      deliver(bytes.subarray(0, end))
    } catch (error) {
      // A response that kafkajs cannot decode ends the connection, not the process.
      socket.destroy(error as Error)
    }
  }
}
