/** `POST /sources/<source>/watch`: reads and validates the ids of messages whose final receipt an operator requests. */
import type { IncomingMessage } from 'node:http'

/**
 * Resolves with `accepted` once the ids are durable, or with `unknown-source` if the source does not exist or is not
 * reconciled. Rejects if the ids can't be written.
 */
export type WatchHandler = (source: string, messageIds: readonly string[]) => Promise<'accepted' | 'unknown-source'>

const MAX_BODY_BYTES = 4 * 1024 * 1024
/** Bytes of UTF-8. A key of the journal, which contains the id, holds about twice as many. */
const MAX_ID_BYTES = 250
const MAX_IDS = 100_000

/** Resolves with the ids, each once, or with a sentence that says what is wrong with the request. */
export const readWatchRequest = async (
  req: IncomingMessage,
): Promise<{ readonly messageIds: readonly string[] } | { readonly problem: string }> => {
  const chunks: Buffer[] = []
  let bytes = 0
  // A body that is too large is read to its end without keeping it, so that the client receives the answer.
  for await (const chunk of req as AsyncIterable<Buffer>) {
    bytes += chunk.length
    if (bytes <= MAX_BODY_BYTES) chunks.push(chunk)
  }
  if (bytes > MAX_BODY_BYTES) return { problem: `the body has ${bytes} bytes; at most ${MAX_BODY_BYTES} are taken` }
  let value: unknown
  try {
    value = JSON.parse(Buffer.concat(chunks).toString('utf8'))
  } catch {
    return { problem: 'the body is not JSON; expected {"messageIds": ["…"]}' }
  }
  const ids = value !== null && typeof value === 'object' && 'messageIds' in value ? value.messageIds : undefined
  if (!Array.isArray(ids) || ids.length === 0 || ids.length > MAX_IDS || !ids.every(isMessageId)) {
    return {
      problem: `expected {"messageIds": ["…"]} with 1 to ${MAX_IDS} ids, each a text of 1 to ${MAX_ID_BYTES} bytes`,
    }
  }
  return { messageIds: [...new Set(ids)] }
}

const isMessageId = (value: unknown): value is string =>
  typeof value === 'string' && value.length > 0 && Buffer.byteLength(value) <= MAX_ID_BYTES
