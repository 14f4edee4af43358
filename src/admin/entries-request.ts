/** `POST /journal/entries`: takes entries into custody that were in custody before, as `journal export` writes them. */
import type { IncomingMessage } from 'node:http'
import { parseEntry } from '../journal/entry-json.js'
import type { EntryWithOrigin } from '../journal/journal.js'
import type { JsonBodies, RequestProblem } from './request-body.js'

/** Resolves once the entries are durable. @throws ConnectorError if the journal can't take them, none of them then */
export type EntriesHandler = (entries: readonly EntryWithOrigin[]) => Promise<void>

/**
 * The request field that names the journal that an entry is meant for. Several connectors may answer at one address, for example
 * behind a proxy, and a client may have asked one of them for its journal. It may be left out.
 */
export const JOURNAL_HEADER = 'dlr-mo-connector-journal'

/** Base64 of the largest answer of a queue by default, and everything else of the entry. */
export const MAX_ENTRY_BYTES = 90 * 1024 * 1024

/** The transaction that stores the entries keeps callbacks waiting, so it must stay short. */
export const MAX_ENTRIES = 1_000

/** Reads and validates one entry, or an array of entries, and hands them to `use`. */
export const readEntriesRequest = <T>(
  req: IncomingMessage,
  bodies: JsonBodies,
  use: (entries: readonly EntryWithOrigin[]) => Promise<T>,
): Promise<T | RequestProblem> =>
  bodies.read<T | RequestProblem>(
    req,
    { maxBytes: MAX_ENTRY_BYTES, expected: 'an entry, as journal export writes it on a line, or an array of entries' },
    (value) => {
      const parsed = Array.isArray(value) ? parseEntries(value) : parseEntry(value)
      if ('problem' in parsed) return { code: 400, problem: parsed.problem }
      return use('entry' in parsed ? [parsed.entry] : parsed.entries)
    },
  )

/** @returns all of the entries, or a clause that says what is wrong with the first one that is not valid */
function parseEntries(
  values: readonly unknown[],
): { readonly entries: readonly EntryWithOrigin[] } | { readonly problem: string } {
  if (values.length === 0) return { problem: 'the array has no entry' }
  if (values.length > MAX_ENTRIES) {
    return { problem: `the array has ${values.length} entries; at most ${MAX_ENTRIES} are taken at once` }
  }
  const entries: EntryWithOrigin[] = []
  for (const [index, value] of values.entries()) {
    const parsed = parseEntry(value)
    if ('problem' in parsed) return { problem: `entry ${index + 1} of ${values.length}: ${parsed.problem}` }
    entries.push(parsed.entry)
  }
  return { entries }
}
