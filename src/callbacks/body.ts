import type { IncomingMessage, ServerResponse } from 'node:http'

/** Limits the memory that the bodies of all requests which are not answered yet may take together. */
export class BodyBudget {
  #maxBytes: number
  #usedBytes = 0

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
  }

  /** Changes the limit for what is counted from now on. */
  resize(maxBytes: number): void {
    this.#maxBytes = maxBytes
  }

  /** Counts the bytes and returns whether all that are counted fit. Bytes that don't fit must be given back as well. */
  take(bytes: number): boolean {
    this.#usedBytes += bytes
    return this.#usedBytes <= this.#maxBytes
  }

  giveBack(bytes: number): void {
    this.#usedBytes -= bytes
  }
}

/** Why a body is not read: it exceeds the limit of one body, or the budget of all of them. */
export type BodyProblem = 'too-large' | 'no-memory'

/**
 * Reads the body of a request as bytes. Calls `onEnd` once, with the whole body or as soon as a limit is exceeded. It is
 * never called if the caller goes away before that, because then nothing was received.
 * @param res when it closes, the bytes are given back to the budget
 */
export const readBody = (
  req: IncomingMessage,
  res: ServerResponse,
  maxBytes: number,
  budget: BodyBudget,
  onEnd: (body: Uint8Array | BodyProblem) => void,
): void => {
  let chunks: Buffer[] = []
  let bytes = 0
  const onData = (chunk: Buffer): void => {
    bytes += chunk.length
    const fits = budget.take(chunk.length)
    if (bytes <= maxBytes && fits) {
      chunks.push(chunk)
      return
    }
    req.off('data', onData).off('end', onEndOfStream)
    chunks = []
    onEnd(bytes > maxBytes ? 'too-large' : 'no-memory')
  }
  const onEndOfStream = (): void => {
    if (!req.complete) return
    const [first] = chunks
    onEnd(chunks.length === 1 && first !== undefined ? first : Buffer.concat(chunks, bytes))
  }
  req.on('data', onData).on('end', onEndOfStream)
  res.once('close', () => budget.giveBack(bytes))
}
