import type { IncomingMessage, ServerResponse } from 'node:http'
import type { BodyAllotment, RoomProblem } from './body-room.js'

/** Why a body is not kept: it exceeds the limit of one body, or finds no room beside the others. */
export type BodyProblem = 'too-large' | RoomProblem

/** Every chunk is a Buffer of its own, so the chunks of a body that arrives in tiny pieces are joined from time to time. */
const MAX_SEPARATE_CHUNKS = 256

/**
 * Reads the body of a request as bytes. Calls `onEnd` once, with the whole body or as soon as a limit is exceeded. It is
 * never called if the caller goes away before that, because then nothing was received.
 * @param res when it closes, the room of the body is given back
 */
export const readBody = (
  req: IncomingMessage,
  res: ServerResponse,
  maxBytes: number,
  allotment: BodyAllotment,
  onEnd: (body: Uint8Array | BodyProblem) => void,
): void => {
  let chunks: Buffer[] = []
  let separateChunks = 0
  let bytes = 0
  const stop = (problem: BodyProblem): void => {
    req.off('data', onData).off('end', onEndOfStream)
    chunks = []
    allotment.giveBack()
    onEnd(problem)
  }
  const onData = (chunk: Buffer): void => {
    bytes += chunk.length
    if (bytes > maxBytes) return stop('too-large')
    const problem = allotment.take(chunk.length)
    if (problem !== null) return stop(problem)
    chunks.push(chunk)
    separateChunks++
    if (separateChunks < MAX_SEPARATE_CHUNKS) return
    chunks.push(Buffer.concat(chunks.splice(-separateChunks)))
    separateChunks = 0
  }
  const onEndOfStream = (): void => {
    if (!req.complete) return
    allotment.complete()
    const [first] = chunks
    onEnd(chunks.length === 1 && first !== undefined ? first : Buffer.concat(chunks, bytes))
  }
  allotment.onDisplaced = () => stop('displaced')
  req.on('data', onData).on('end', onEndOfStream)
  res.once('close', () => allotment.giveBack())
}
