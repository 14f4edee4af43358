/**
 * Which identified items have arrived before: event id -> first arrival, kept for a time and up to a number.
 *
 * Its writes belong to the transaction that releases the entries: a decision made from it comes out the same when it
 * is made again after a crash.
 */
import type { Environment } from './environment.js'
import type { FirstSeen, EventOccurrence } from './journal.js'
import { entryCount } from './pages.js'

export interface IdIndexLimits {
  /** Milliseconds from an item's `receivedAt`. */
  readonly rememberFor: number
  readonly maxIds: number
}

/** Of the disk, for an id that is remembered: itself, twice, and a share of the tree pages that are copied. */
export const BYTES_PER_ID = 1024

export class IdIndex {
  readonly #env: Environment
  readonly #limits: IdIndexLimits
  readonly #onWarning: ((message: string) => void) | undefined
  #forgottenEarly = 0

  /** @param onWarning told once when ids begin to be forgotten before their time */
  constructor(env: Environment, limits: IdIndexLimits, onWarning?: (message: string) => void) {
    this.#env = env
    this.#limits = limits
    this.#onWarning = onWarning
  }

  /** Ids forgotten for their number, not their age, since this process began. */
  get idsForgottenEarly(): number {
    return this.#forgottenEarly
  }

  get size(): number {
    return entryCount(this.#env.ids)
  }

  firstArrival(eventId: string): FirstSeen | undefined {
    const stored = this.#env.ids.get(eventId)
    return stored && { seq: stored[0], place: stored[1] }
  }

  /** Queues the writes; the caller has opened the batch that they are to be part of. */
  queue(seen: readonly EventOccurrence[], now: number): void {
    const { ids, idsByAge } = this.#env
    for (const { eventId, seq, place, receivedAt } of seen) {
      void ids.put(eventId, [seq, place])
      void idsByAge.put([receivedAt, eventId], null)
    }
    this.#queueExpiry(now, seen.length)
  }

  #sayEarly(age: number): void {
    const days = (ms: number): string => `${(ms / 86_400_000).toFixed(1)} days`
    this.#onWarning?.(
      `more than ${this.#limits.maxIds} event ids were seen within ${days(this.#limits.rememberFor)}: the oldest are ` +
        `forgotten after ${days(age)}, and a duplicate that comes later than that is published again, with the same ` +
        `eventId; raise duplicates.maxIds (some 200 bytes on the disk each) or lower duplicates.remember`,
    )
  }

  /** Forgets at most twice of what was added, so that no release is long and the index still shrinks. */
  #queueExpiry(now: number, added: number): void {
    const { ids, idsByAge } = this.#env
    const limit = 2 * added + 100
    const horizon = now - this.#limits.rememberFor
    let left = this.size + added
    for (const [receivedAt, eventId] of idsByAge.getKeys({ limit })) {
      if (receivedAt >= horizon) {
        if (left <= this.#limits.maxIds) break
        if (this.#forgottenEarly++ === 0) this.#sayEarly(now - receivedAt)
      }
      void idsByAge.remove([receivedAt, eventId])
      void ids.remove(eventId)
      left--
    }
  }
}
