/**
 * The flow on one screen: journal -> decode -> encode -> publish and commit -> release.
 *
 * It knows ports only. One batch is in a transaction while the next is prepared; everything else happens one after the
 * other. Any failure while publishing means doubt: everything prepared is forgotten and the flow starts again from the
 * position that the broker holds.
 */
import type { Clock } from '../core/clock.js'
import { type DecodableSource, decode } from './decode.js'
import type { EncodedEvent, Encoder } from '../encode/encoder.js'
import { hasCode } from '../core/errors.js'
import type { Event } from '../core/event.js'
import type { ItemOutcome, PipelineObserver } from '../core/observers.js'
import type { Entry, Journal, IndexUpdates, EventOccurrence, WatchChange } from '../journal/journal.js'
import type { OutgoingRecord, Publisher } from '../kafka/publisher.js'

export interface PipelineDeps {
  readonly journal: Journal
  readonly encoder: Encoder
  readonly publisher: Publisher
  readonly source: (name: string) => (DecodableSource & { readonly watch: boolean }) | undefined
  readonly clock: Clock
  readonly observer: PipelineObserver
  /**
   * Where replicas share, before decoding: resolves when the journal knows what others published of these, or on abort.
   */
  readonly syncPublished?: ((entries: readonly Entry[], signal: AbortSignal) => Promise<void>) | undefined
}

/** What one transaction takes at most, unless a single entry is larger. */
const BATCH = { entries: 5000, bytes: 4 * 1024 * 1024 }
/** After a failure half of that, down to this share: what a broker took too long for, it would again. */
const LEAST_SHARE = 1 / 16
const share = (of: number): typeof BATCH => ({ entries: Math.ceil(BATCH.entries * of), bytes: BATCH.bytes * of })
/** Items after which no further entry is added: small bytes can be many items. */
const ENOUGH_ITEMS = 20_000
/** Milliseconds between attempts while Kafka or the registry is away. */
const RETRY = { first: 100, longest: 5000 }
/** Milliseconds after which a batch is prepared anew, once: the one before took long, or the process has slept. */
const STALE = 10_000
/** Events decoded and encoded before callbacks get a turn. */
const SLICE = 500

interface Batch {
  readonly upTo: number
  readonly records: readonly OutgoingRecord[]
  readonly outcomes: readonly ItemOutcome[]
  readonly notes: IndexUpdates
  readonly preparedAt: number
}

export class Pipeline {
  readonly #deps: PipelineDeps
  #delay = RETRY.first
  #share = 1
  #told: 'waits' | 'goes on' | undefined

  constructor(parts: PipelineDeps) {
    this.#deps = parts
  }

  /**
   * Runs until the signal aborts.
   * @throws ConnectorError PRODUCER_REPLACED, JOURNAL_UNUSABLE; everything else is waited out
   */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, observer, publisher } = this.#deps
    try {
      while (!signal.aborted) {
        try {
          await this.#flow(signal)
        } catch (error) {
          if (hasCode(error, 'PRODUCER_REPLACED') || hasCode(error, 'JOURNAL_UNUSABLE')) throw error
          this.#told = 'waits'
          observer.waiting(error)
          await clock.sleep(this.#delay, signal)
          this.#delay = Math.min(this.#delay * 2, RETRY.longest)
        }
      }
    } finally {
      await publisher.close()
    }
  }

  /** From the journal to the broker. Ends only by the signal or by a failure. */
  async #flow(signal: AbortSignal): Promise<void> {
    const { journal, encoder, observer } = this.#deps
    await encoder.ready()
    let upTo = await this.#resume(signal)
    if (journal.read(upTo, { entries: 1, bytes: 0 }).length === 0) this.#goesOn()
    const ended = new AbortController()
    const either = AbortSignal.any([signal, ended.signal])
    let next = this.#prepare(upTo, [], either)
    try {
      for (;;) {
        const prepared = await next
        if (prepared === null || signal.aborted) return
        await encoder.ready()
        const batch = this.#isStale(prepared) ? await this.#prepare(upTo, [], either) : prepared
        if (batch === null) return
        // Invariant 7: one producer operation at a time; what runs beside it touches no producer.
        const committing = this.#publish(batch)
        next = this.#prepare((upTo = batch.upTo), batch.notes.occurrences, either)
        next.catch(() => undefined) // looked at when it is awaited, or forgotten with this flow
        await committing
        this.#goesOn()
        await journal.release(upTo, batch.notes) // invariant 2
        observer.released(batch.outcomes)
      }
    } finally {
      // What was being prepared is forgotten, and has ended before another flow calls the encoder.
      ended.abort()
      await next.catch(() => undefined)
    }
  }

  /** Told once something was committed, or nothing is there to be: an open producer alone proves little. */
  #goesOn(): void {
    this.#delay = RETRY.first
    if (this.#told !== 'goes on') this.#deps.observer.waiting(null)
    this.#told = 'goes on'
  }

  /** A new producer; then everything that the broker already has is released, with what is to be remembered of it. */
  async #resume(signal: AbortSignal): Promise<number> {
    const { journal, publisher, observer } = this.#deps
    const position = await publisher.open(journal.id)
    if (publisher.keepsPosition && position < 0 && journal.releasedUpTo >= 0)
      observer.positionLost(journal.releasedUpTo)
    const committed = await journal.recover(position)
    for (;;) {
      const entries = journal.read(-1, BATCH).filter((entry) => entry.seq <= committed)
      // Encoded as well: what turned out as a dead letter was not published as the event that it is.
      const batch = await this.#decodeAll(entries, [], signal)
      if (batch === null) return committed
      await journal.release(batch.upTo, batch.notes)
      observer.released(batch.outcomes)
    }
  }

  /** The next batch behind `after`, or null when the signal aborts. `earlier`: ids in the batch being committed. */
  async #prepare(after: number, earlier: readonly EventOccurrence[], signal: AbortSignal): Promise<Batch | null> {
    const { journal, syncPublished: upToDate } = this.#deps
    for (;;) {
      if (signal.aborted) return null
      const entries = journal.read(after, share(this.#share))
      if (entries.length > 0) {
        await upToDate?.(entries, signal)
        return this.#decodeAll(entries, earlier, signal)
      }
      await journal.waitForEntry(after, signal)
    }
  }

  /** @returns null when there is nothing to decode, or nobody to decode it for any more */
  async #decodeAll(
    entries: readonly Entry[],
    earlier: readonly EventOccurrence[],
    signal: AbortSignal,
  ): Promise<Batch | null> {
    if (entries.length === 0) return null
    const { journal, encoder, source, observer, clock } = this.#deps
    const preparedAt = clock.now()
    const known = new Map(earlier.map((seen) => [seen.eventId, seen]))
    const records: OutgoingRecord[] = []
    const outcomes: ItemOutcome[] = []
    const seen: EventOccurrence[] = []
    const watch: WatchChange[] = []
    let count = 0
    let upTo = -1
    for (const entry of entries) {
      if (count >= ENOUGH_ITEMS) break
      upTo = entry.seq
      const from = source(entry.source)
      for (const decoded of decode(entry, from, journal.id)) {
        const { event, place, identified, body } = decoded
        if (++count % SLICE === 0) await new Promise(setImmediate)
        if (signal.aborted) return null
        const arrival: EventOccurrence = { eventId: event.eventId, seq: entry.seq, place, receivedAt: entry.receivedAt }
        const duplicate =
          identified && isEarlier(known.get(event.eventId) ?? journal.findFirstSeen(event.eventId), arrival)
        observer.decoded?.(event, duplicate)
        const made = duplicate ? NOTHING : await encoder.encode(event, { body, facts: entry.facts })
        for (const record of made.records) records.push(record)
        outcomes.push(outcomeOf(event, duplicate, made.deadLetter))
        // What no record can hold is not published: the next one with its identity may be, and a replay of it.
        if (made.deadLetter !== null && event.kind !== 'dead-letter') continue
        if (from?.watch && event.kind === 'dlr' && (event.final || !duplicate)) watch.push(watchChange(event))
        if (duplicate || !identified) continue
        known.set(event.eventId, arrival)
        seen.push(arrival)
      }
    }
    return { upTo, records, outcomes, notes: { occurrences: seen, watchChanges: watch }, preparedAt }
  }

  /** Whether other replicas may have published some of it meanwhile. */
  #isStale({ preparedAt }: Batch): boolean {
    return this.#deps.syncPublished !== undefined && this.#deps.clock.now() - preparedAt > STALE
  }

  async #publish({ records, upTo }: Batch): Promise<void> {
    const { clock, publisher, observer } = this.#deps
    const start = clock.monotonic()
    try {
      await publisher.publish(records, upTo)
    } catch (error) {
      this.#share = Math.max(LEAST_SHARE, this.#share / 2)
      throw error
    }
    this.#share = Math.min(1, this.#share * 2)
    observer.committed(records.length, (clock.monotonic() - start) / 1000)
  }
}

/** Only an arrival before this one makes it a duplicate: so a decision made twice comes out the same. */
const isEarlier = (first: { seq: number; place: number } | undefined, arrival: EventOccurrence): boolean =>
  first !== undefined && (first.seq < arrival.seq || (first.seq === arrival.seq && first.place < arrival.place))

const NOTHING: EncodedEvent = { records: [], deadLetter: null }

const outcomeOf = (event: Event, duplicate: boolean, deadLetter: string | null): ItemOutcome => ({
  source: event.source,
  via: event.via,
  kind: duplicate ? 'duplicate' : deadLetter === null ? event.kind : 'dead-letter',
  reason: deadLetter,
  receivedAt: event.receivedAt,
})

const watchChange = ({ source, messageId, receivedAt, final }: Event & { kind: 'dlr' }): WatchChange => {
  return { source, messageId, receivedAt, state: final ? 'closed' : 'open' }
}
