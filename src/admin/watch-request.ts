/** `POST /sources/<source>/watch`: message ids whose final receipt somebody wants, read and checked. */
import type { IncomingMessage } from 'node:http'

/**
 * Resolves with `accepted` once the ids are durable, `unknown-source` for one that does not exist or is not reconciled.
 * Rejects when they can't be written.
 */
export type WatchHandler = (source: string, messageIds: readonly string[]) => Promise<'accepted' | 'unknown-source'>

const LIMIT = 4 * 1024 * 1024
/** Bytes of UTF-8; the journal's keys end at about twice as many. */
const LONGEST_ID = 250
const MOST_IDS = 100_000

/** The ids, each once, or what is wrong with the request. */
export const readWatchRequest = async (
  req: IncomingMessage,
): Promise<{ readonly messageIds: readonly string[] } | { readonly problem: string }> => {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of req as AsyncIterable<Buffer>) {
    bytes += chunk.length
    if (bytes <= LIMIT) chunks.push(chunk)
  }
  if (bytes > LIMIT) return { problem: `the body has ${bytes} bytes; at most ${LIMIT} are taken` }
  let value: unknown
  try {
    value = JSON.parse(Buffer.concat(chunks).toString('utf8'))
  } catch {
    return { problem: 'the body is not JSON; expected {"messageIds": ["…"]}' }
  }
  const ids = value !== null && typeof value === 'object' && 'messageIds' in value ? value.messageIds : undefined
  if (!Array.isArray(ids) || ids.length === 0 || ids.length > MOST_IDS || !ids.every(isId)) {
    return {
      problem: `expected {"messageIds": ["…"]} with 1 to ${MOST_IDS} ids, each a text of 1 to ${LONGEST_ID} bytes`,
    }
  }
  return { messageIds: [...new Set(ids)] }
}

const isId = (value: unknown): value is string =>
  typeof value === 'string' && value.length > 0 && Buffer.byteLength(value) <= LONGEST_ID
