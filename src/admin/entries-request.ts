/** `POST /journal/entries`: takes entries into custody that were in custody before, as `journal export` writes them. */
import type { IncomingMessage } from 'node:http'
import { type EntryWithOrigin, parseEntry } from '../journal/entry-json.js'
import type { JsonBodies, RequestProblem } from './request-body.js'

/** Resolves once the entry is durable. @throws ConnectorError if the journal can't take it */
export type EntryHandler = (entry: EntryWithOrigin) => Promise<void>

/**
 * The request field that names the journal that an entry is meant for. Several connectors may answer at one address, for example
 * behind a proxy, and a client may have asked one of them for its journal. It may be left out.
 */
export const JOURNAL_HEADER = 'dlr-mo-connector-journal'

/** Base64 of the largest answer of a queue by default, and everything else of the entry. */
export const MAX_ENTRY_BYTES = 90 * 1024 * 1024

/** Reads and validates one entry, and hands it to `use`. */
export const readEntriesRequest = <T>(
  req: IncomingMessage,
  bodies: JsonBodies,
  use: (entry: EntryWithOrigin) => Promise<T>,
): Promise<T | RequestProblem> =>
  bodies.read<T | RequestProblem>(
    req,
    { maxBytes: MAX_ENTRY_BYTES, expected: 'one entry, as journal export writes it on a line' },
    (value) => {
      const parsed = parseEntry(value)
      return 'entry' in parsed ? use(parsed.entry) : { code: 400, problem: parsed.problem }
    },
  )
