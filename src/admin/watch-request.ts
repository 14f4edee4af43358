/** `POST /sources/<source>/watch`: reads and validates the ids of messages whose final receipt an operator requests. */
import type { IncomingMessage } from 'node:http'
import type { JsonBodies, RequestProblem } from './request-body.js'

/**
 * Resolves with `accepted` once the ids are durable, with `unknown-source` if the source does not exist or is not reconciled, or
 * with `too-many` if so many are watched that these don't fit. Rejects if the ids can't be written.
 */
export type WatchHandler = (
  source: string,
  messageIds: readonly string[],
) => Promise<'accepted' | 'unknown-source' | 'too-many'>

const MAX_BODY_BYTES = 4 * 1024 * 1024
/** Bytes of UTF-8. A key of the journal, which contains the id, holds about twice as many. */
const MAX_ID_BYTES = 250
const MAX_IDS = 100_000

/** Resolves with the ids, each once, or with what is wrong with the request. */
export const readWatchRequest = (
  req: IncomingMessage,
  bodies: JsonBodies,
): Promise<{ readonly messageIds: readonly string[] } | RequestProblem> =>
  bodies.read<{ readonly messageIds: readonly string[] } | RequestProblem>(
    req,
    { maxBytes: MAX_BODY_BYTES, expected: '{"messageIds": ["…"]}' },
    (value) => {
      const ids = value !== null && typeof value === 'object' && 'messageIds' in value ? value.messageIds : undefined
      if (Array.isArray(ids) && ids.length > MAX_IDS) {
        return { code: 413, problem: `the request has ${ids.length} ids; at most ${MAX_IDS} are taken at once` }
      }
      if (!Array.isArray(ids) || ids.length === 0 || !ids.every(isMessageId)) {
        return {
          code: 400,
          problem: `expected {"messageIds": ["…"]} with 1 to ${MAX_IDS} ids, each a text of 1 to ${MAX_ID_BYTES} bytes`,
        }
      }
      return { messageIds: [...new Set(ids)] }
    },
  )

const isMessageId = (value: unknown): value is string =>
  typeof value === 'string' && value.length > 0 && Buffer.byteLength(value) <= MAX_ID_BYTES
