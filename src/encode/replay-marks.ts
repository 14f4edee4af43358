/**
 * The marks of replayed dead letters: records that say which items of dead letters are published. They are committed in the
 * transactions that publish the items, on a compacted topic, so that the last record of each key stays.
 *
 * | key | meaning |
 * |---|---|
 * | `<event id of the dead letter>/<place>` | the item at this place is on its topic |
 * | `<event id of the dead letter>` | every item is on its topic: the dead letter is closed |
 *
 * The value is JSON for people and for `dead-letters list`. The keys alone decide what is published.
 */
import type { OutgoingRecord } from '../kafka/publisher.js'

/** The value of the mark of an item. */
export interface ItemMark {
  readonly deadLetter: string
  readonly place: string
  /** The event id on the topic of its kind. */
  readonly eventId: string
  readonly kind: 'dlr' | 'mo'
  /** `duplicate` if the event was on its topic already. */
  readonly outcome: 'published' | 'duplicate'
  /** Milliseconds since the epoch. */
  readonly at: number
}

/** The value of the mark of a dead letter that is closed. */
export interface ClosingMark {
  readonly deadLetter: string
  /** Milliseconds since the epoch. */
  readonly at: number
}

export const itemMarkKey = (deadLetter: string, place: string): string => `${deadLetter}/${place}`

export const itemMarkRecord = (topic: string, mark: ItemMark): OutgoingRecord =>
  markRecord(topic, itemMarkKey(mark.deadLetter, mark.place), mark)

export const closingMarkRecord = (topic: string, mark: ClosingMark): OutgoingRecord =>
  markRecord(topic, mark.deadLetter, mark)

const HEADERS = { 'content-type': 'application/json' }

const markRecord = (topic: string, key: string, value: ItemMark | ClosingMark): OutgoingRecord => ({
  topic,
  key,
  value: Buffer.from(JSON.stringify(value)),
  headers: HEADERS,
})

/** @returns undefined for a value that is no mark */
export function parseMark(value: string): ItemMark | ClosingMark | undefined {
  let parsed: unknown
  try {
    parsed = JSON.parse(value)
  } catch {
    return undefined
  }
  const isMark = typeof parsed === 'object' && parsed !== null && 'deadLetter' in parsed && 'at' in parsed
  return isMark ? (parsed as ItemMark | ClosingMark) : undefined
}
