/**
 * The index of event ids: the first occurrence of each identified item, kept for a certain time and up to a certain number.
 *
 * Its writes belong to the transaction that releases the entries. A decision about a duplicate therefore comes out the same
 * when it is made again after a crash.
 */
import { DAY_MS } from '../core/clock.js'
import type { Log } from '../core/log.js'
import { type Environment, entryCount } from './environment.js'
import { EventIdFilter } from './event-id-filter.js'
import type { EventOccurrence, FirstSeen } from './journal.js'

export interface EventIdIndexOptions {
  /** Milliseconds from an item's `receivedAt`. */
  readonly rememberForMs: number
  readonly maxIds: number
}

/**
 * Bytes on the disk for each remembered event id of 32 characters. Measured on LMDB files with 200,000 ids that were
 * released 50, 500 or 5,000 at a time: 165 to 175 bytes of tree pages an id while the index fills, and 184 to 192 once each
 * new id replaces an old one, because the pages are then less full.
 */
export const BYTES_PER_REMEMBERED_ID = 200

/**
 * Bytes of room that a write looks for on the disk, for each event id that it adds. A transaction copies every tree page that
 * it changes, so this is more than the id takes afterwards.
 */
export const WRITE_BYTES_PER_ID = 1024

export class EventIdIndex {
  readonly #env: Environment
  readonly #options: EventIdIndexOptions
  readonly #filter: EventIdFilter
  readonly #log: Log | undefined
  #forgottenEarly = 0

  /** @param log has one line when ids begin to be deleted before their time */
  constructor(env: Environment, options: EventIdIndexOptions, log?: Log) {
    this.#env = env
    this.#options = options
    this.#filter = new EventIdFilter(env)
    this.#log = log
  }

  /** The number of ids that this process deleted because of their number, not of their age. */
  get forgottenEarly(): number {
    return this.#forgottenEarly
  }

  find(eventId: string): FirstSeen | undefined {
    const stored = this.#filter.mayHold(eventId) ? this.#env.ids.get(eventId) : undefined
    return stored && { seq: stored[0], itemIndex: stored[1] }
  }

  /** Runs a write whose batch calls `queueAdditions`. */
  duringWrite(write: () => Promise<void>): Promise<void> {
    return this.#filter.duringWrite(write)
  }

  /** To be called before the environment is closed. */
  close(): void {
    this.#filter.close()
  }

  /**
   * Queues the additions, and the deletions that become due. The caller has opened the batch that they belong to, within
   * `duringWrite`.
   */
  queueAdditions(occurrences: readonly EventOccurrence[], now: number): void {
    const { ids, idsByAge } = this.#env
    for (const { eventId, seq, itemIndex, receivedAt } of occurrences) {
      this.#filter.add(eventId)
      void ids.put(eventId, [seq, itemIndex])
      void idsByAge.put([receivedAt, eventId], null)
    }
    this.#queueDeletions(now, occurrences.length)
  }

  /** Deletes at most twice as many ids as were added, so that no release takes long and the index still shrinks. */
  #queueDeletions(now: number, added: number): void {
    const { ids, idsByAge } = this.#env
    const { rememberForMs, maxIds } = this.#options
    const limit = 2 * added + 100
    const horizon = now - rememberForMs
    let remaining = entryCount(ids) + added
    for (const [receivedAt, eventId] of idsByAge.getKeys({ limit })) {
      if (receivedAt >= horizon) {
        if (remaining <= maxIds) break
        if (this.#forgottenEarly === 0) this.#warnOfEarlyDeletion(now - receivedAt)
        this.#forgottenEarly++
      }
      void idsByAge.remove([receivedAt, eventId])
      void ids.remove(eventId)
      remaining--
    }
  }

  #warnOfEarlyDeletion(ageMs: number): void {
    const { rememberForMs, maxIds } = this.#options
    const inDays = (ms: number): string => `${(ms / DAY_MS).toFixed(1)} days`
    this.#log?.warn(
      { event: 'event-ids-forgotten' },
      `more than ${maxIds} event ids arrived within ${inDays(rememberForMs)}: the oldest are forgotten after ` +
        `${inDays(ageMs)}, and a duplicate that arrives later than that is published again, with the same eventId; ` +
        `raise duplicates.maxIds (about ${BYTES_PER_REMEMBERED_ID} bytes of disk each) or lower duplicates.remember`,
    )
  }
}
