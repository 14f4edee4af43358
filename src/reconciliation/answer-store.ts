/**
 * Stores answers in the journal if they hold new items. An answer in which every item is known is not stored.
 *
 * With replicas, an answer with new items is deferred for a moment and compared again, because a callback with the same
 * items may have reached another replica that is publishing them now. The next requests are sent meanwhile. An answer
 * that is dropped in the end is no loss: it can be requested again.
 */
import type { Clock } from '../core/clock.js'
import type { ReconcileObserver } from '../core/observers.js'
import type { Journal, NewEntry } from '../journal/journal.js'
import type { QueryGate } from '../replicas/query-gate.js'
import type { AnswerComparison, KnownItems } from './known-items.js'

export interface AnswerStoreDeps {
  readonly journal: Pick<Journal, 'append' | 'watchList'>
  readonly knownItems: Pick<KnownItems, 'compare'>
  /** Present where replicas share the work. */
  readonly queryGate?: Pick<QueryGate, 'waitToQuery' | 'waitToStore'> | undefined
  readonly clock: Clock
  readonly observer: Pick<ReconcileObserver, 'knownItemsDropped' | 'custodyTaken'>
  /** Ends every wait. */
  readonly stopSignal: AbortSignal
}

const MAX_DEFERRED_ANSWERS = 50

export class AnswerStore {
  readonly #deps: AnswerStoreDeps
  #deferred = 0
  #dropped = 0
  #lastDeferred: Promise<void> = Promise.resolve()

  constructor(deps: AnswerStoreDeps) {
    this.#deps = deps
  }

  /** The number of answers so far that were deferred and then dropped. */
  get dropped(): number {
    return this.#dropped
  }

  /**
   * Resolves when the answer is durable in the journal, is deferred, or holds nothing new.
   * @throws ConnectorError JOURNAL_FULL, JOURNAL_WRITE_FAILED: the answer is not stored
   */
  async store(entry: NewEntry): Promise<void> {
    const { knownItems, queryGate, clock, stopSignal } = this.#deps
    const comparison = knownItems.compare(entry)
    if (!comparison.hasNewItems || queryGate === undefined) return this.#storeNow(entry, comparison)
    const answeredAt = clock.monotonic()
    this.#deferred++
    // Invariant 4: deferred answers are stored in order of arrival, so that the receipts of a message keep their order.
    this.#lastDeferred = this.#lastDeferred.then(async () => {
      try {
        const isAllowed = await queryGate.waitToStore(answeredAt, stopSignal)
        if (isAllowed) await this.#storeNow(entry, knownItems.compare(entry))
        else this.#dropped++
      } catch {
        this.#dropped++
      } finally {
        this.#deferred--
      }
    })
    if (this.#deferred >= MAX_DEFERRED_ANSWERS) await this.#lastDeferred
  }

  /** Resolves when every answer that is deferred now has been stored or dropped. */
  waitForDeferred(): Promise<void> {
    return this.#lastDeferred
  }

  async #storeNow(
    entry: NewEntry,
    { items, hasNewItems, finalMessageIds, markStored }: AnswerComparison,
  ): Promise<void> {
    const { journal, clock, observer } = this.#deps
    if (hasNewItems) {
      const startedAt = clock.monotonic()
      // Invariant 1: the answer is durable before the next page is requested.
      const seq = await journal.append(entry)
      markStored(seq)
      return observer.custodyTaken((clock.monotonic() - startedAt) / 1_000)
    }
    if (items > 0) observer.knownItemsDropped(entry.source, items)
    // The pipeline stops watching a message when it reads its final receipt. It does not read an answer that is not stored.
    const watched = finalMessageIds.filter((id) => journal.watchList.has(entry.source, id))
    if (watched.length > 0) await journal.watchList.remove(entry.source, watched)
  }
}
