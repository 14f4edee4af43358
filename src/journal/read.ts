import type { Environment } from './environment.js'
import type { Entry } from './journal.js'

/** Entries behind `after` in order: at least one if there is any, else as many as fit the bounds. */
export function readEntries(
  { entries }: Environment,
  after: number,
  bounds: { readonly entries: number; readonly bytes: number },
): Entry[] {
  const found: Entry[] = []
  let bytes = 0
  for (const { key, value } of entries.getRange({ start: after + 1, limit: bounds.entries })) {
    bytes += value.body.byteLength
    if (found.length > 0 && bytes > bounds.bytes) break
    found.push({ ...value, seq: key })
  }
  return found
}
