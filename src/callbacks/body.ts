/** A request's body, as bytes, whatever they are, and how much of such bytes may be in memory at once. */
import type { IncomingMessage, ServerResponse } from 'node:http'

/** Bytes of bodies that are here and not answered yet, of all requests together. */
export class BodyRoom {
  readonly #limit: number
  #used = 0

  constructor(limit: number) {
    this.#limit = limit
  }

  /** Whether there was room; what was taken is to be given back. */
  take(bytes: number): boolean {
    this.#used += bytes
    return this.#used <= this.#limit
  }

  giveBack(bytes: number): void {
    this.#used -= bytes
  }
}

/** Longer than the limit, or no memory for it now. */
export type BodyProblem = 'too-long' | 'no-room'

/**
 * Calls back once: with the body when all of it is here, or as soon as something is wrong with it. A caller that goes
 * away before is not called back for: nothing was received.
 * @param res whose end gives the room back
 */
export const readBody = (
  req: IncomingMessage,
  res: ServerResponse,
  limit: number,
  room: BodyRoom,
  done: (body: Uint8Array | BodyProblem) => void,
): void => {
  let first: Buffer | undefined
  let more: Buffer[] | undefined
  let bytes = 0
  const take = (chunk: Buffer): void => {
    bytes += chunk.length
    const fits = room.take(chunk.length)
    if (bytes > limit || !fits) {
      req.off('data', take).off('end', end)
      first = more = undefined
      done(bytes > limit ? 'too-long' : 'no-room')
    } else if (first === undefined) first = chunk
    else (more ??= [first]).push(chunk)
  }
  const end = (): void => {
    if (req.complete) done(more === undefined ? (first ?? new Uint8Array(0)) : Buffer.concat(more, bytes))
  }
  req.on('data', take).on('end', end)
  res.once('close', () => room.giveBack(bytes))
}
