/**
 * Refuses requests in a way that reaches the caller. A caller that is still sending when the connection is closed gets a
 * reset, which discards an answer that it has not read yet. The answer is therefore sent first, then the rest of the
 * request is read and dropped, within limits, and only then is the connection closed.
 */
import { type IncomingMessage, type ServerResponse, STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'
import type { Connection } from '../http-server/connections.js'

/** How much of a refused request is read at most, and for how long. */
const MAX_DRAINED_BYTES = 64 * 1024 * 1024
const MAX_DRAIN_MS = 30_000
/** How long a connection stays open after a request that can't be parsed was answered. */
const MAX_UNPARSED_DRAIN_MS = 5_000

/** Answers without a body, and closes the connection once the rest of the request has been dropped. */
export const refuseWhileSending = (
  req: IncomingMessage,
  res: ServerResponse,
  code: number,
  headers: Readonly<Record<string, string>>,
): void => {
  res.writeHead(code, { ...headers, 'content-length': '0', connection: 'close' })
  res.flushHeaders()
  let bytes = 0
  const end = (): void => {
    clearTimeout(timer)
    req.off('data', onData).off('end', end).off('close', end)
    res.end()
  }
  const onData = (chunk: Buffer): void => {
    bytes += chunk.length
    if (bytes > MAX_DRAINED_BYTES) end()
  }
  const timer = setTimeout(end, MAX_DRAIN_MS)
  req.on('data', onData).on('end', end).on('close', end)
}

/**
 * Answers a request that Node's parser gives up, as `clientError` of the server reports it: with 413 if request line and headers
 * exceed 64 KiB, with 408 if they come too slowly, and else with 400.
 * @returns the status of the answer; undefined if the request was answered before, or nobody is left to answer
 */
export const refuseUnparsable = (
  error: NodeJS.ErrnoException,
  socket: Socket,
  connection: Connection,
): number | undefined => {
  // The parser reports the same error again for every further chunk.
  if (connection.isUnparsable) return undefined
  connection.isUnparsable = true
  if (!socket.writable || error.code === 'ECONNRESET') {
    socket.destroy()
    return undefined
  }
  const status = statusOf(error)
  const unfinished = [...connection.openResponses].filter((res) => !res.writableFinished)
  const lastComplete = unfinished.findLast((res) => res.req.complete)
  if (lastComplete !== undefined) {
    // The caller would take the refusal for the answer to an earlier request that is still being processed.
    lastComplete.once('close', () => refuseSocket(socket, status))
  } else if (unfinished.some((res) => res.headersSent)) {
    // The broken request was answered while it was being sent.
    socket.destroySoon()
    return undefined
  } else {
    refuseSocket(socket, status)
  }
  return status
}

const refuseSocket = (socket: Socket, status: number): void => {
  if (!socket.writable) {
    socket.destroy()
    return
  }
  const timer = setTimeout(() => socket.destroy(), MAX_UNPARSED_DRAIN_MS)
  socket.once('close', () => clearTimeout(timer))
  socket.once('end', () => socket.destroy())
  socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n`)
}

const statusOf = ({ code }: NodeJS.ErrnoException): number => {
  if (code === 'HPE_HEADER_OVERFLOW') return 413
  return code === 'ERR_HTTP_REQUEST_TIMEOUT' ? 408 : 400
}
