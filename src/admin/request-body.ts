/** Reads the JSON bodies of requests to the admin port. */
import type { IncomingMessage } from 'node:http'

export interface RequestProblem {
  readonly code: 400 | 403 | 409 | 413 | 415 | 429
  /** A sentence without a full stop. */
  readonly problem: string
}

/** Base64 and the text of an entry take several times its bytes while it is read, so that few large ones are taken at once. */
const MAX_BYTES_TOGETHER = 96 * 1024 * 1024

/** The bodies that are being received or processed. */
export class JsonBodies {
  #bytes = 0

  /**
   * Reads a body as JSON and hands its value to `use`, during which it counts.
   * @param expected what the body should be, for the message
   */
  async read<T>(
    req: IncomingMessage,
    { maxBytes, expected }: { readonly maxBytes: number; readonly expected: string },
    use: (value: unknown) => T | Promise<T>,
  ): Promise<T | RequestProblem> {
    const problem = rejectionReason(req)
    if (problem !== null) return problem
    const chunks: Buffer[] = []
    let bytes = 0
    let counted = 0
    let hasRoom = true
    try {
      // A body that is not taken is read to its end without keeping it, so that the client receives the answer.
      for await (const chunk of req as AsyncIterable<Buffer>) {
        bytes += chunk.length
        hasRoom &&= this.#bytes + chunk.length <= MAX_BYTES_TOGETHER
        if (bytes > maxBytes || !hasRoom) {
          chunks.length = 0
          continue
        }
        this.#bytes += chunk.length
        counted += chunk.length
        chunks.push(chunk)
      }
      if (bytes > maxBytes) return { code: 413, problem: `the body has ${bytes} bytes; at most ${maxBytes} are taken` }
      if (!hasRoom) {
        return {
          code: 429,
          problem: `other requests have more than ${MAX_BYTES_TOGETHER - bytes} bytes; send it again`,
        }
      }
      let value: unknown
      try {
        value = JSON.parse(Buffer.concat(chunks).toString('utf8'))
      } catch {
        return { code: 400, problem: `the body is not JSON; expected ${expected}` }
      }
      return await use(value)
    } finally {
      this.#bytes -= counted
    }
  }
}

/**
 * Returns why a request can't be one of a program. A page in a browser can send any text to this port, also with a login that the
 * browser has remembered, but neither JSON without asking first nor a POST without these headers.
 */
const rejectionReason = ({ headers }: IncomingMessage): RequestProblem | null => {
  const { 'content-type': contentType = '', origin, 'sec-fetch-site': fetchSite } = headers
  if (origin !== undefined || fetchSite !== undefined) {
    return { code: 403, problem: 'this is not taken from a browser' }
  }
  if (/^application\/json\s*(;|$)/i.test(contentType)) return null
  return { code: 415, problem: 'send content-type: application/json' }
}
