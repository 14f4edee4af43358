/** `POST /journal/entries`: takes entries into custody that were in custody before, as `journal export` writes them. */
import type { IncomingMessage } from 'node:http'
import { type EntryWithOrigin, parseEntry } from '../journal/entry-json.js'

/** Resolves once the entry is durable. @throws ConnectorError if the journal can't take it */
export type EntryHandler = (entry: EntryWithOrigin) => Promise<void>

/** Base64 of the largest answer of a queue by default, and everything else of the entry. */
export const MAX_ENTRY_BYTES = 90 * 1024 * 1024

export type EntriesRequest =
  { readonly entry: EntryWithOrigin } | { readonly code: 400 | 403 | 413; readonly problem: string }

/** Reads and validates one entry. */
export async function readEntriesRequest(req: IncomingMessage): Promise<EntriesRequest> {
  const { 'content-type': contentType = '', origin, 'sec-fetch-site': fetchSite } = req.headers
  // A page in a browser can send any text to this port, but neither JSON without asking first nor a request without these.
  if (!/^application\/json\s*(;|$)/i.test(contentType) || origin !== undefined || fetchSite !== undefined) {
    return { code: 403, problem: 'send content-type: application/json, and not from a browser' }
  }
  const chunks: Buffer[] = []
  let bytes = 0
  // A body that is too large is read to its end without keeping it, so that the client receives the answer.
  for await (const chunk of req as AsyncIterable<Buffer>) {
    bytes += chunk.length
    if (bytes <= MAX_ENTRY_BYTES) chunks.push(chunk)
  }
  if (bytes > MAX_ENTRY_BYTES) {
    return { code: 413, problem: `the body has ${bytes} bytes; at most ${MAX_ENTRY_BYTES} are taken` }
  }
  let value: unknown
  try {
    value = JSON.parse(Buffer.concat(chunks).toString('utf8'))
  } catch {
    return { code: 400, problem: 'the body is not JSON; expected one entry, as journal export writes it on a line' }
  }
  const parsed = parseEntry(value)
  return 'entry' in parsed ? parsed : { code: 400, problem: parsed.problem }
}
