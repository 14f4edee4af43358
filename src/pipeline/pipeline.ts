/**
 * The flow on one screen: journal -> decode -> encode -> publish and commit -> release.
 *
 * The pipeline knows ports only. While a large batch is in a transaction, the next one is prepared; everything else happens
 * one step after the other. Any failure while publishing leaves the outcome in doubt. The pipeline then discards what it has
 * prepared and starts again from the position that the broker holds.
 */
import { hasCode } from '../core/errors.js'
import { Backoff } from '../core/retry.js'
import type { Publisher } from '../kafka/publisher.js'
import { type Batch, BatchPreparer, type BatchPreparerDeps } from './batches.js'
import { formatPlace, isSamePosition, laterOf, parsePlace, type Position } from './place-in-entry.js'

export interface PipelineDeps extends BatchPreparerDeps {
  readonly publisher: Publisher
  /** Larger in tests. */
  readonly firstBatchShare?: number
}

/**
 * The part of the largest batch that the first one takes. What a quota of the broker lets through is not known at the start,
 * and the broker answers for a whole batch at once: under a small quota a full one would hold publishing for minutes.
 */
const FIRST_BATCH_SHARE = 1 / 16

/** The smallest part of the largest batch that a batch takes. */
const MIN_BATCH_SHARE = 1 / 1024
/**
 * The time that a transaction should take. A failure, or a transaction that took longer than the second time, halves the next
 * batch: a broker that was too slow for it, or limits it by a quota, would be so again. After a transaction that took less
 * than the first time the next batch is twice as large. A transaction that takes too long is aborted by the broker.
 */
const SHORT_TRANSACTION_MS = 2_000
const LONG_TRANSACTION_MS = 10_000
/**
 * After a transaction with at least so many items the next one waits, because more are about to arrive: a few large
 * transactions cost much less than many small ones, and what they cost is missing where callbacks are answered. The wait grows
 * with the number of items, so that it is short while they come slowly. A lone callback, and what follows it, is published at
 * once.
 */
const MIN_ITEMS_TO_GATHER = 4
const GATHER = { msPerItem: 0.25, shortestMs: 10, longestMs: 50 }
/**
 * A batch that was prepared longer ago is prepared anew where replicas share the sources, because other replicas may have
 * published some of it meanwhile.
 */
const STALE_AFTER_MS = 10_000
/** The delays between attempts while Kafka or the registry is unavailable. */
const BACKOFF = { firstMs: 100, longestMs: 5_000 }

export class Pipeline {
  readonly #deps: PipelineDeps
  readonly #batches: BatchPreparer
  readonly #backoff = new Backoff(BACKOFF)
  /** The part of the largest batch that the next one takes. */
  #batchShare: number
  #lastReported: 'waiting' | 'healthy' | undefined
  /** How far the journal has stored what is remembered of the events, and how far the broker has acknowledged the events. */
  #released: Position
  #acknowledged: Position
  /** Aborted to end the present flow, so that another one begins. */
  #interruption = new AbortController()
  /** What is to happen before the next flow begins. */
  readonly #changes: (() => void)[] = []

  constructor(deps: PipelineDeps) {
    this.#deps = deps
    this.#batches = new BatchPreparer(deps)
    this.#batchShare = deps.firstBatchShare ?? FIRST_BATCH_SHARE
    this.#released = { upTo: deps.journal.releasedUpTo, place: null }
    this.#acknowledged = this.#released
  }

  /**
   * Runs until the signal aborts.
   * @throws ConnectorError PRODUCER_REPLACED, JOURNAL_UNUSABLE. After every other error the flow starts again.
   */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, observer, publisher } = this.#deps
    try {
      while (!signal.aborted) {
        this.#interruption = new AbortController()
        for (const apply of this.#changes.splice(0)) {
          apply()
          // Whether it still works with what has changed is to be reported once it does.
          this.#lastReported = undefined
        }
        const stop = AbortSignal.any([signal, this.#interruption.signal])
        try {
          await this.#flow(stop)
        } catch (error) {
          if (hasCode(error, 'PRODUCER_REPLACED') || hasCode(error, 'JOURNAL_UNUSABLE')) throw error
          this.#lastReported = 'waiting'
          observer.waiting(error)
          await clock.sleep(this.#backoff.next(), stop)
        }
      }
    } finally {
      await publisher.close()
    }
  }

  /**
   * Changes what the pipeline publishes with, for example the settings of its publisher. `apply` is called once the batch under
   * way is committed and released, and nothing is prepared. Then a new producer is opened, and the position that the broker
   * holds tells where to go on.
   */
  reopen(apply: () => void): void {
    this.#changes.push(apply)
    this.#backoff.reset()
    this.#interruption.abort()
  }

  /** Moves entries from the journal to the broker. Returns when the signal aborts, and throws the first error. */
  async #flow(signal: AbortSignal): Promise<void> {
    const { encoder } = this.#deps
    await encoder.ready()
    let position = await this.#resume(signal)
    if (!this.#hasEntryAfter(position)) this.#reportHealthy()
    const flowEnd = new AbortController()
    const stop = AbortSignal.any([signal, flowEnd.signal])
    let next = this.#prepare(position, null, stop)
    try {
      for (;;) {
        const prepared = await next
        if (prepared === null || signal.aborted) return
        await encoder.ready()
        const batch = this.#isStale(prepared) ? await this.#prepare(position, null, stop) : prepared
        if (batch === null) return
        position = batch.position
        // Invariant 7: one transaction at a time. What runs beside it uses no producer.
        const committed = this.#publish(batch)
        next = this.#timeToPrepare(batch, committed, stop).then(() => this.#prepare(batch.position, batch, stop))
        // An error of the preparation is thrown when it is awaited. If the flow ends before, nobody awaits it.
        next.catch(() => undefined)
        await committed
        this.#reportHealthy()
        // Invariant 2: the entries are released only now that the broker has committed the last of their events.
        await this.#release(batch)
      }
    } finally {
      // The preparation has ended before the next flow calls the encoder.
      flowEnd.abort()
      await next.catch(() => undefined)
    }
  }

  /** Opens a new producer, then releases everything that the broker has committed, and stores what is remembered of it. */
  async #resume(signal: AbortSignal): Promise<Position> {
    const { journal, publisher, observer } = this.#deps
    const stored = await publisher.open(journal.id)
    const isLost = publisher.keepsPosition && stored < 0 && journal.releasedUpTo >= 0
    if (isLost) observer.positionLost(journal.releasedUpTo)
    const place = parsePlace(publisher.positionMetadata)
    const upTo = await journal.recover(stored, place !== null)
    const fromBroker = { upTo, place: upTo === stored ? place : null }
    // What was released or acknowledged is published, also where the broker has forgotten the position (invariant 2).
    const known = laterOf(fromBroker, publisher.keepsPosition ? this.#released : this.#acknowledged)
    const committed = await this.#batches.verify(known, signal)
    // An entry that is published again from its beginning is also released again from there.
    if (committed.upTo === this.#released.upTo && committed.place === null) this.#released = committed
    while (!isSamePosition(this.#released, committed)) {
      const batch = await this.#batches.prepareCommitted(this.#released, committed, signal)
      if (batch === null) break
      await this.#release(batch)
    }
    return committed
  }

  /** @param beingCommitted the batch that is being published meanwhile */
  #prepare(after: Position, beingCommitted: Batch | null, signal: AbortSignal): Promise<Batch | null> {
    return this.#batches.prepareNext(after, { share: this.#batchShare, beingCommitted, signal })
  }

  /**
   * Resolves when the batch behind this one should be prepared: during a large transaction; after a small one, so that
   * everything that arrived meanwhile goes into the next one together; and a little later while items keep arriving.
   */
  async #timeToPrepare(batch: Batch, committed: Promise<void>, signal: AbortSignal): Promise<void> {
    if (batch.isLarge) return
    await committed
    const items = batch.outcomes.length
    if (items < MIN_ITEMS_TO_GATHER) return
    const gatherMs = Math.min(GATHER.longestMs, Math.max(GATHER.shortestMs, items * GATHER.msPerItem))
    await this.#deps.clock.sleep(gatherMs, signal)
  }

  async #publish(batch: Batch): Promise<void> {
    const { records, position } = batch
    const { clock, publisher, observer, tracing } = this.#deps
    const startedAt = clock.monotonic()
    const span = batch.entrySpans.length > 0 ? tracing?.startTransaction(batch) : undefined
    try {
      await publisher.publish(records, position.upTo, formatPlace(position.place))
      span?.end()
    } catch (error) {
      span?.end(error)
      this.#batchShare = Math.max(MIN_BATCH_SHARE, this.#batchShare / 2)
      throw error
    }
    this.#acknowledged = position
    const ms = clock.monotonic() - startedAt
    if (ms < SHORT_TRANSACTION_MS) this.#batchShare = Math.min(1, this.#batchShare * 2)
    if (ms > LONG_TRANSACTION_MS) this.#batchShare = Math.max(MIN_BATCH_SHARE, this.#batchShare / 2)
    observer.committed(records.length, ms / 1000)
  }

  /** Stores what is remembered of the events of a batch, and deletes the entries that are committed completely. */
  async #release({ position, updates, outcomes }: Batch): Promise<void> {
    await this.#deps.journal.release(position.upTo, updates)
    this.#released = position
    this.#deps.observer.released(outcomes)
  }

  #hasEntryAfter({ upTo }: Position): boolean {
    return this.#deps.journal.read(upTo, { entries: 1, bytes: 0 }).length > 0
  }

  #isStale({ preparedAt }: Batch): boolean {
    return this.#deps.syncPublished !== undefined && this.#deps.clock.now() - preparedAt > STALE_AFTER_MS
  }

  /** Called after a commit, or if there is nothing to commit. That a producer was opened does not show that it can publish. */
  #reportHealthy(): void {
    this.#backoff.reset()
    if (this.#lastReported !== 'healthy') this.#deps.observer.waiting(null)
    this.#lastReported = 'healthy'
  }
}
