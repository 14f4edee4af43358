/** Which watched messages are to be asked for now, and which no more. Pure. */
import type { WatchedMessage } from '../journal/journal.js'

/** Of `sources.<source>.reconcile`; ms. */
export interface Schedule {
  readonly after: number
  readonly every: number
  readonly giveUpAfter: number
}

export interface Look {
  readonly due: readonly string[]
  /** To be asked for no more. */
  readonly over: readonly string[]
  /** How many of those looked at stay on the list. */
  readonly watched: number
  /** When the first of the others is due; Infinity if none is. */
  readonly next: number
  /** The last one looked at, where there may be more behind it. */
  readonly last: string | undefined
}

/** How many are looked at before callbacks get a turn. */
const SLICE = 2_000

/** @param most ends the look at so many that are due */
export const look = (list: Iterable<WatchedMessage>, now: number, schedule: Schedule, most: number): Look => {
  const due: string[] = []
  const over: string[] = []
  let next = Infinity
  let looked = 0
  let last: string | undefined
  for (const watched of list) {
    if (due.length >= most || looked >= SLICE) break
    looked++
    last = watched.messageId
    const at = isOver(watched, now, schedule) ? undefined : dueAt(watched, now, schedule)
    if (at === undefined) over.push(last)
    else if (at <= now) due.push(last)
    else next = Math.min(next, at)
  }
  const more = due.length >= most || looked >= SLICE
  return { due, over, watched: looked - over.length, next, last: more ? last : undefined }
}

/**
 * From `giveUpAfter` on. But one that could not be asked for when that time came, because the connector was down or the
 * provider refused, has a last question: for as long again.
 */
const isOver = ({ since, lastAskedAt }: WatchedMessage, now: number, { every, giveUpAfter }: Schedule): boolean => {
  const end = since + giveUpAfter
  if (now < end) return false
  return lastAskedAt >= end - 2 * every || now >= end + Math.max(giveUpAfter, 2 * every)
}

/** One asked for in the future was asked for before the clock was set back. */
const dueAt = ({ since, lastAskedAt }: WatchedMessage, now: number, { after, every }: Schedule): number =>
  lastAskedAt === 0 || lastAskedAt > now ? since + after : Math.max(since + after, lastAskedAt + every)
