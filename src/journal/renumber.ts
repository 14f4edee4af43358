import { asBinary, type Database } from 'lmdb'
import type { NewEntry } from './journal.js'

/**
 * Moves entries that no position was read for above the position that has now been read, in their order.
 *
 * That they lie at or below it means that their numbers were given out twice: the clock ran backwards and the journal
 * is an old copy of itself. The broker has others under these numbers, so releasing by number would lose them.
 *
 * Queues the writes; the caller has opened the batch that they are to be part of.
 * @param range the entries from `from` up to, not including, `below`; they get the numbers from `below` on
 * @returns the highest number given, -1 if nothing has to move
 */
export function queueRenumbering(
  entries: Database<NewEntry, number>,
  range: { readonly from: number; readonly below: number; readonly position: number },
): number {
  const [first] = entries.getKeys({ start: range.from, limit: 1 })
  if (first === undefined || first > range.position) return -1
  let next = range.below
  for (const key of entries.getKeys({ start: range.from, end: range.below })) {
    // As bytes: what can't be decoded is moved like everything else.
    void entries.put(next++, asBinary(entries.getBinary(key)!) as unknown as NewEntry)
    void entries.remove(key)
  }
  return next - 1
}
