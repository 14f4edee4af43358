/**
 * The flow on one screen: journal -> decode -> encode -> publish and commit -> release.
 *
 * The pipeline knows ports only. While one batch is in a transaction, the next one is prepared; everything else happens one
 * step after the other. Any failure while publishing leaves the outcome in doubt. The pipeline then discards what it has
 * prepared and starts again from the position that the broker holds.
 */
import type { Clock } from '../core/clock.js'
import { hasCode } from '../core/errors.js'
import type { Event } from '../core/event.js'
import type { ItemOutcome, PipelineObserver } from '../core/observers.js'
import { Backoff } from '../core/retry.js'
import type { EncodedEvent, Encoder } from '../encode/encoder.js'
import type {
  Entry,
  EventOccurrence,
  FirstSeen,
  IndexUpdates,
  Journal,
  ReadBounds,
  WatchChange,
} from '../journal/journal.js'
import type { OutgoingRecord, Publisher } from '../kafka/publisher.js'
import { type DecodableSource, decode } from './decode.js'

export interface PipelineSource extends DecodableSource {
  /** Whether receipts of the source put messages on the watch list and take them off. */
  readonly updatesWatchList: boolean
}

export interface PipelineDeps {
  readonly journal: Journal
  readonly encoder: Encoder
  readonly publisher: Publisher
  readonly findSource: (name: string) => PipelineSource | undefined
  readonly clock: Clock
  readonly observer: PipelineObserver
  /**
   * Called before entries are decoded where replicas share the sources. Resolves when the journal knows what other replicas
   * have published of these entries, or when the signal aborts.
   */
  readonly syncPublished?: ((entries: readonly Entry[], signal: AbortSignal) => Promise<void>) | undefined
}

/** The largest batch that one transaction takes, unless a single entry is larger. */
const MAX_BATCH: ReadBounds = { entries: 5_000, bytes: 4 * 1024 * 1024 }
/** Each failure to publish halves the next batch, down to this share: a broker that was too slow for it would be so again. */
const MIN_BATCH_SHARE = 1 / 16
/** No further entry is added to a batch with this many items, because few bytes can hold many items. */
const MAX_ITEMS_BEFORE_BATCH_CLOSES = 20_000
/**
 * A batch that was prepared longer ago is prepared anew where replicas share the sources, because other replicas may have
 * published some of it meanwhile.
 */
const STALE_AFTER_MS = 10_000
/** Items that are decoded and encoded before callbacks are served again. */
const ITEMS_PER_TURN = 500
/** The delays between attempts while Kafka or the registry is unavailable. */
const BACKOFF = { firstMs: 100, longestMs: 5_000 }

const NO_RECORDS: EncodedEvent = { records: [], deadLetter: null }

interface PreparedBatch {
  /** The sequence number of the last entry. */
  readonly upTo: number
  readonly records: readonly OutgoingRecord[]
  readonly outcomes: readonly ItemOutcome[]
  readonly updates: IndexUpdates
  /** Milliseconds since the epoch. */
  readonly preparedAt: number
}

export class Pipeline {
  readonly #deps: PipelineDeps
  readonly #backoff = new Backoff(BACKOFF)
  /** The part of the largest batch that the next one takes. */
  #batchShare = 1
  #lastReported: 'waiting' | 'healthy' | undefined

  constructor(deps: PipelineDeps) {
    this.#deps = deps
  }

  /**
   * Runs until the signal aborts.
   * @throws ConnectorError PRODUCER_REPLACED, JOURNAL_UNUSABLE. After every other error the flow starts again.
   */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, observer, publisher } = this.#deps
    try {
      while (!signal.aborted) {
        try {
          await this.#flow(signal)
        } catch (error) {
          if (hasCode(error, 'PRODUCER_REPLACED') || hasCode(error, 'JOURNAL_UNUSABLE')) throw error
          this.#lastReported = 'waiting'
          observer.waiting(error)
          await clock.sleep(this.#backoff.next(), signal)
        }
      }
    } finally {
      await publisher.close()
    }
  }

  /** Moves entries from the journal to the broker. Returns when the signal aborts, and throws the first error. */
  async #flow(signal: AbortSignal): Promise<void> {
    const { journal, encoder, observer } = this.#deps
    await encoder.ready()
    let upTo = await this.#resume(signal)
    if (!this.#hasEntryAfter(upTo)) this.#reportHealthy()
    const flowEnd = new AbortController()
    const stop = AbortSignal.any([signal, flowEnd.signal])
    let next = this.#prepare(upTo, [], stop)
    try {
      for (;;) {
        const prepared = await next
        if (prepared === null || signal.aborted) return
        await encoder.ready()
        const batch = this.#isStale(prepared) ? await this.#prepare(upTo, [], stop) : prepared
        if (batch === null) return
        upTo = batch.upTo
        // Invariant 7: one producer operation at a time. What runs beside it uses no producer.
        const committed = this.#publish(batch)
        next = this.#prepare(upTo, batch.updates.occurrences, stop)
        // An error of the preparation is thrown when it is awaited. If the flow ends before, nobody awaits it.
        next.catch(() => undefined)
        await committed
        this.#reportHealthy()
        // Invariant 2: the entries are released only now that the broker has committed them.
        await journal.release(upTo, batch.updates)
        observer.released(batch.outcomes)
      }
    } finally {
      // The preparation has ended before the next flow calls the encoder.
      flowEnd.abort()
      await next.catch(() => undefined)
    }
  }

  /** Opens a new producer, then releases everything that the broker has committed, and stores what is remembered of it. */
  async #resume(signal: AbortSignal): Promise<number> {
    const { journal, publisher, observer } = this.#deps
    const position = await publisher.open(journal.id)
    const isLost = publisher.keepsPosition && position < 0 && journal.releasedUpTo >= 0
    if (isLost) observer.positionLost(journal.releasedUpTo)
    const committedUpTo = await journal.recover(position)
    for (;;) {
      const entries = journal.read(-1, MAX_BATCH).filter(({ seq }) => seq <= committedUpTo)
      // The events are encoded as well: one that became a dead letter was not published under its identity.
      const batch = await this.#decodeAndEncode(entries, [], signal)
      if (batch === null) return committedUpTo
      await journal.release(batch.upTo, batch.updates)
      observer.released(batch.outcomes)
    }
  }

  /**
   * Waits for entries above `after` and prepares a batch of them.
   * @param earlier the occurrences in the batch that is being committed
   * @returns null if the signal aborts
   */
  async #prepare(
    after: number,
    earlier: readonly EventOccurrence[],
    signal: AbortSignal,
  ): Promise<PreparedBatch | null> {
    const { journal, syncPublished } = this.#deps
    while (!signal.aborted) {
      const entries = journal.read(after, shareOf(MAX_BATCH, this.#batchShare))
      if (entries.length > 0) {
        await syncPublished?.(entries, signal)
        return this.#decodeAndEncode(entries, earlier, signal)
      }
      await journal.waitForEntry(after, signal)
    }
    return null
  }

  /** @returns null if there are no entries, or if the signal aborts */
  async #decodeAndEncode(
    entries: readonly Entry[],
    earlier: readonly EventOccurrence[],
    signal: AbortSignal,
  ): Promise<PreparedBatch | null> {
    if (entries.length === 0) return null
    const { journal, encoder, findSource, observer, clock } = this.#deps
    const preparedAt = clock.now()
    const inBatches = new Map(earlier.map((occurrence) => [occurrence.eventId, occurrence]))
    const records: OutgoingRecord[] = []
    const outcomes: ItemOutcome[] = []
    const occurrences: EventOccurrence[] = []
    const watchChanges: WatchChange[] = []
    let items = 0
    let upTo = -1
    for (const entry of entries) {
      if (items >= MAX_ITEMS_BEFORE_BATCH_CLOSES) break
      upTo = entry.seq
      const source = findSource(entry.source)
      for (const { event, itemIndex, isIdentified, body } of decode(entry, source, journal.id)) {
        items++
        if (items % ITEMS_PER_TURN === 0) await new Promise(setImmediate)
        if (signal.aborted) return null
        const { eventId } = event
        const occurrence: EventOccurrence = { eventId, seq: entry.seq, itemIndex, receivedAt: entry.receivedAt }
        const isDuplicate = isIdentified && this.#isKnown(occurrence, inBatches)
        observer.decoded?.(event, isDuplicate)
        const encoded = isDuplicate ? NO_RECORDS : await encoder.encode(event, { body, facts: entry.facts })
        for (const record of encoded.records) records.push(record)
        outcomes.push(outcomeOf(event, isDuplicate, encoded.deadLetter))
        // An event that no record can hold was not published under its identity. A later item with the same identity, for
        // example a replay of this one, may be published.
        if (encoded.deadLetter !== null && event.kind !== 'dead-letter') continue
        if (source?.updatesWatchList && event.kind === 'dlr' && (event.final || !isDuplicate)) {
          watchChanges.push(watchChangeOf(event))
        }
        if (isDuplicate || !isIdentified) continue
        inBatches.set(eventId, occurrence)
        occurrences.push(occurrence)
      }
    }
    return { upTo, records, outcomes, updates: { occurrences, watchChanges }, preparedAt }
  }

  /** Whether an item with the same identity came before this one, in the batches under way or in what is released. */
  #isKnown(occurrence: EventOccurrence, inBatches: ReadonlyMap<string, EventOccurrence>): boolean {
    const { eventId } = occurrence
    const firstSeen = inBatches.get(eventId) ?? this.#deps.journal.findFirstSeen(eventId)
    return firstSeen !== undefined && isEarlier(firstSeen, occurrence)
  }

  async #publish({ records, upTo }: PreparedBatch): Promise<void> {
    const { clock, publisher, observer } = this.#deps
    const startedAt = clock.monotonic()
    try {
      await publisher.publish(records, upTo)
    } catch (error) {
      this.#batchShare = Math.max(MIN_BATCH_SHARE, this.#batchShare / 2)
      throw error
    }
    this.#batchShare = Math.min(1, this.#batchShare * 2)
    observer.committed(records.length, (clock.monotonic() - startedAt) / 1000)
  }

  #hasEntryAfter(seq: number): boolean {
    return this.#deps.journal.read(seq, { entries: 1, bytes: 0 }).length > 0
  }

  #isStale({ preparedAt }: PreparedBatch): boolean {
    return this.#deps.syncPublished !== undefined && this.#deps.clock.now() - preparedAt > STALE_AFTER_MS
  }

  /** Called after a commit, or if there is nothing to commit. That a producer was opened does not show that it can publish. */
  #reportHealthy(): void {
    this.#backoff.reset()
    if (this.#lastReported !== 'healthy') this.#deps.observer.waiting(null)
    this.#lastReported = 'healthy'
  }
}

const shareOf = ({ entries, bytes }: ReadBounds, share: number): ReadBounds => ({
  entries: Math.ceil(entries * share),
  bytes: bytes * share,
})

/** Only an earlier occurrence makes an item a duplicate, so the decision comes out the same when it is made again. */
const isEarlier = (first: FirstSeen, { seq, itemIndex }: EventOccurrence): boolean =>
  first.seq < seq || (first.seq === seq && first.itemIndex < itemIndex)

const outcomeOf = (event: Event, isDuplicate: boolean, deadLetter: string | null): ItemOutcome => ({
  source: event.source,
  via: event.via,
  kind: isDuplicate ? 'duplicate' : deadLetter === null ? event.kind : 'dead-letter',
  reason: deadLetter,
  receivedAt: event.receivedAt,
})

const watchChangeOf = ({ source, messageId, receivedAt, final }: Event & { kind: 'dlr' }): WatchChange => {
  return { source, messageId, receivedAt, state: final ? 'closed' : 'open' }
}
