/**
 * Saying no so that it is heard. A caller that is still sending when the connection closes gets a reset, and with it
 * loses an answer that it has not read yet: so the answer goes out first, then what is still coming is read and dropped,
 * within bounds, and only then is the connection closed.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'

/** How much longer a refused caller is listened to. */
const DRAIN = { bytes: 64 * 1024 * 1024, ms: 30_000 }
/** The same for one whose request could not even be parsed, in ms. */
const UNPARSED_DRAIN = 5_000

/** Answers without a body, and ends the connection once the rest of the request has gone by. */
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
    req.off('data', count).off('end', end).off('close', end)
    res.end()
  }
  const count = (chunk: Buffer): void => {
    bytes += chunk.length
    if (bytes > DRAIN.bytes) end()
  }
  const timer = setTimeout(end, DRAIN.ms)
  req.on('data', count).on('end', end).on('close', end)
}

/** Sockets that were told so already; the parser reports the same error for every further chunk. */
const told = new WeakSet<Socket>()

/**
 * For `clientError`: what the parser gave up on. 413 over 64 KiB of headers, 408 for too slow, else 400.
 * @returns the status, if this is the first that is heard of it and there is somebody to tell
 */
export const refuseUnparsed = (error: NodeJS.ErrnoException, socket: Socket): number | undefined => {
  if (told.has(socket)) return undefined
  told.add(socket)
  if (!socket.writable || error.code === 'ECONNRESET') return void socket.destroy()
  const current = (socket as Socket & { _httpMessage?: ServerResponse | null })._httpMessage
  const [code, line] = statusOf(error)
  if (current?.req.complete === true && !current.writableFinished) {
    // An earlier request on this connection is still waiting for its own answer; ours must not be taken for that.
    current.once('close', () => tell(line, socket))
  } else if (current?.headersSent === true) {
    return void socket.destroySoon()
  } else {
    tell(line, socket)
  }
  return code
}

const tell = (line: string, socket: Socket): void => {
  if (!socket.writable) return void socket.destroy()
  const timer = setTimeout(() => socket.destroy(), UNPARSED_DRAIN)
  socket.once('close', () => clearTimeout(timer))
  socket.once('end', () => socket.destroy())
  socket.end(`HTTP/1.1 ${line}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n`)
}

const statusOf = ({ code }: NodeJS.ErrnoException): [code: number, line: string] => {
  if (code === 'HPE_HEADER_OVERFLOW') return [413, '413 Payload Too Large']
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') return [408, '408 Request Timeout']
  return [400, '400 Bad Request']
}
