/**
 * Prepares the batches that the pipeline publishes: reads entries, decodes and encodes their items, and closes a batch when
 * it is full. A batch may begin and end inside an entry, so that no entry is too large for one transaction, for the memory
 * or for the quota of a broker.
 */
import type { Clock } from '../core/clock.js'
import type { Event } from '../core/event.js'
import type { DeadLetterSummary, ItemOutcome, PipelineObserver, ReplayOutcome } from '../core/observers.js'
import type { EntrySpan, TracedBatch, Tracing } from '../core/tracing.js'
import type { EncodedEvent, Encoder, Origin } from '../encode/encoder.js'
import { closingMarkRecord, itemMarkKey, itemMarkRecord } from '../encode/replay-marks.js'
import type { Entry, EventOccurrence, FirstSeen, IndexUpdates, Journal, WatchChange } from '../journal/journal.js'
import type { OutgoingRecord } from '../kafka/publisher.js'
import { type DecodableSource, decode, type DecodedItem } from './decode.js'
import { digestOfParts, ItemDigest, parsePlace, type PlaceInEntry, type Position } from './place-in-entry.js'
import { type DeadLetterOrigin, decodeDeadLetter, type ReplayedItem } from './replay.js'

export interface PipelineSource extends DecodableSource {
  /** Whether receipts of the source put messages on the watch list and take them off. */
  readonly updatesWatchList: boolean
}

export interface BatchPreparerDeps {
  readonly journal: Journal
  readonly encoder: Encoder
  /** @param provider the provider that the entry names */
  readonly findSource: (name: string, provider: string) => PipelineSource | undefined
  readonly clock: Clock
  readonly observer: PipelineObserver
  readonly tracing?: Tracing | undefined
  readonly replayMarks: ReplayMarks
  /**
   * Called before entries are decoded where replicas share the sources. Resolves when the journal knows what other replicas
   * have published of these entries, or when the signal aborts.
   */
  readonly syncPublished?: ((entries: readonly Entry[], signal: AbortSignal) => Promise<void>) | undefined
  /** Smaller in tests. */
  readonly limits?: BatchLimits
}

/** The marks of replayed dead letters on their topic (encode/replay-marks.ts). */
export interface ReplayMarks {
  readonly topic: string
  /**
   * Resolves with the keys of all marks that are committed, or with a sentence on why no dead letter can be replayed. It may
   * resolve with anything once the signal has aborted.
   * @throws ConnectorError while the marks can't be read for a reason that passes
   */
  read(signal: AbortSignal): Promise<{ readonly keys: ReadonlySet<string> } | { readonly unavailable: string }>
}

/** The bounds of a batch, which ends with the first entry, item or record that reaches one of them. */
export interface BatchLimits {
  readonly entries: number
  /** The sum of the bodies of the entries. */
  readonly bodyBytes: number
  readonly items: number
  /** The sum of the records, approximately. */
  readonly recordBytes: number
}

/** What one transaction publishes. */
export interface Batch extends TracedBatch {
  /** How far the journal is committed once this batch is. */
  readonly position: Position
  readonly records: readonly OutgoingRecord[]
  readonly outcomes: readonly ItemOutcome[]
  readonly updates: IndexUpdates
  /** The keys of the marks among the records. */
  readonly markKeys: readonly string[]
  /** Whether its transaction takes so long that the next batch should be prepared meanwhile. */
  readonly isLarge: boolean
  /** Milliseconds since the epoch. */
  readonly preparedAt: number
}

export interface BatchOptions {
  /** The part of the largest batch that this one takes. */
  readonly share: number
  /** The batch that is being committed meanwhile. */
  readonly beingCommitted: Pick<Batch, 'updates' | 'markKeys'> | null
  readonly signal: AbortSignal
}

/** The largest batch that one transaction takes. */
const MAX_BATCH: BatchLimits = {
  entries: 5_000,
  bodyBytes: 4 * 1024 * 1024,
  items: 20_000,
  recordBytes: 8 * 1024 * 1024,
}
/** A batch that reaches one of these takes longer in its transaction than most others. */
const LARGE_BATCH = { items: 1_000, bodyBytes: 1024 * 1024 }
/** The bytes that key, headers and framing add to the value of a record, approximately. */
const RECORD_OVERHEAD_BYTES = 300
/** Items that are decoded and encoded before callbacks are served again. */
const ITEMS_PER_TURN = 500

const NO_RECORDS: EncodedEvent = { records: [], deadLetter: null }

export class BatchPreparer {
  readonly #deps: BatchPreparerDeps
  /** The entry inside which the last batch ended. The next batch goes on there without decoding its first items again. */
  #openEntry: OpenEntry | undefined

  constructor(deps: BatchPreparerDeps) {
    this.#deps = deps
  }

  /** Waits for entries behind a position and prepares a batch of them. @returns null if the signal aborts */
  async prepareNext(after: Position, options: BatchOptions): Promise<Batch | null> {
    const { journal } = this.#deps
    while (!options.signal.aborted) {
      const batch = await this.#prepare(after, null, options)
      if (batch !== null) return batch
      await journal.waitForEntry(after.upTo, options.signal)
    }
    return null
  }

  /**
   * Prepares a batch of what lies between two positions and is committed already: its records are not published again, its
   * outcomes and updates are needed. The events are encoded as well, because one that became a dead letter was not published
   * under its identity.
   * @returns null if nothing lies between the positions, or if the signal aborts
   */
  prepareCommitted(after: Position, end: Position, signal: AbortSignal): Promise<Batch | null> {
    return this.#prepare(after, end, { share: 1, beingCommitted: null, signal })
  }

  /** Returns the position, without its place if that says nothing about what the entry decodes to today. */
  async verify(position: Position, signal: AbortSignal): Promise<Position> {
    this.#openEntry = undefined
    const { upTo, place } = position
    const entry = place && this.#readEntry(upTo + 1)
    // A replayed dead letter is begun again, because its marks tell what is published of it.
    if (!entry || isReplay(entry)) return { upTo, place: null }
    const open = await this.#open(entry, signal)
    const isValid = await open.skipTo(place, signal)
    if (isValid || signal.aborted) {
      this.#openEntry = open
      return position
    }
    this.#deps.observer.entryRepublished(entry)
    return { upTo, place: null }
  }

  /** A batch that begins inside an entry holds nothing of the entries behind it. */
  async #prepare(after: Position, end: Position | null, options: BatchOptions): Promise<Batch | null> {
    const { signal } = options
    let open = await this.#entryInside(after, signal)
    const entries = open ? [open.entry] : this.#readEntries(after.upTo, end, options.share)
    if (entries.length === 0) return null
    await this.#deps.syncPublished?.(entries, signal)
    const marks = await this.#readMarks(entries, signal)
    if (signal.aborted) return null
    const batch = new BatchBuilder(this.#deps, after, options, 'keys' in marks ? marks.keys : NO_MARKS)
    for (const entry of entries) {
      const isGivenUp = isReplay(entry) && 'unavailable' in marks
      if (isGivenUp)
        this.#deps.observer.replayGivenUp({ source: entry.source, eventId: entry.origin.eventId }, marks.unavailable)
      if (isGivenUp || batch.isImportedAgain(entry)) {
        batch.finishEntry(entry)
        continue
      }
      open ??= await this.#open(entry, signal)
      if (signal.aborted) return null
      const endPlace = end !== null && entry.seq > end.upTo ? end.place : null
      // Records that are committed already are not sent, so nothing is traced.
      if (end === null) batch.addSpan(open.startSpan(this.#deps.tracing))
      await batch.addItems(open, endPlace?.items ?? Infinity)
      if (signal.aborted) return null
      if (endPlace && open.finishedItems === endPlace.items) open.markCommitted(endPlace)
      if (open.hasNext()) {
        this.#openEntry = open
        return batch.build({ upTo: entry.seq - 1, place: open.place() })
      }
      batch.finishEntry(entry, open)
      open = undefined
      if (batch.isFull) break
    }
    return batch.build({ upTo: batch.lastEntry, place: null })
  }

  #readEntries(after: number, end: Position | null, share: number): Entry[] {
    const { journal, limits = MAX_BATCH } = this.#deps
    const bounds = { entries: Math.ceil(limits.entries * share), bytes: limits.bodyBytes * share }
    const entries = journal.read(after, bounds)
    if (end === null) return entries
    const last = end.place ? end.upTo + 1 : end.upTo
    return entries.filter(({ seq }) => seq <= last)
  }

  #readEntry(seq: number): Entry | null {
    const [entry] = this.#deps.journal.read(seq - 1, { entries: 1, bytes: 0 })
    return entry?.seq === seq ? entry : null
  }

  /** Returns the entry that a position lies in, decoded up to there; undefined if the position lies between two entries. */
  async #entryInside({ upTo, place }: Position, signal: AbortSignal): Promise<OpenEntry | undefined> {
    if (place === null) return undefined
    const open = this.#openEntry
    this.#openEntry = undefined
    if (open?.entry.seq === upTo + 1 && open.isAt(place)) return open
    const entry = this.#readEntry(upTo + 1)
    if (entry === null || isReplay(entry)) return undefined
    const reopened = await this.#open(entry, signal)
    await reopened.skipTo(place, signal)
    return reopened
  }

  /** Returns the entry at its first item or, if a part of it was published from another journal, behind that part. */
  async #open(entry: Entry, signal: AbortSignal): Promise<OpenEntry> {
    const { origin } = entry
    const open = this.#openAtFirstItem(entry)
    const published = origin?.kind === 'import' ? parsePlace(origin.place ?? '') : null
    if (published === null || (await open.skipTo(published, signal)) || signal.aborted) return open
    this.#deps.observer.entryRepublished(entry)
    return this.#openAtFirstItem(entry)
  }

  #openAtFirstItem(entry: Entry): OpenEntry {
    const { findSource, journal } = this.#deps
    const source = findSource(entry.source, entry.provider)
    const items = isReplay(entry) ? decodeDeadLetter(entry, entry.origin, source) : decode(entry, source, journal.id)
    return new OpenEntry(entry, source, items)
  }

  /** The marks are read only where a dead letter is replayed. */
  async #readMarks(entries: readonly Entry[], signal: AbortSignal): ReturnType<ReplayMarks['read']> {
    return entries.some(isReplay) ? this.#deps.replayMarks.read(signal) : { keys: NO_MARKS }
  }
}

const isReplay = (entry: Entry): entry is Entry & { readonly origin: DeadLetterOrigin } =>
  entry.origin?.kind === 'dead-letter'

const NO_MARKS: ReadonlySet<string> = new Set()

/** An item, with its records. */
interface EncodedItem {
  readonly decoded: DecodedItem
  readonly occurrence: EventOccurrence
  readonly isDuplicate: boolean
  readonly encoded: EncodedEvent
  /** What becomes of an item of a replayed dead letter; undefined for other items. */
  readonly replay?: ReplayOutcome
  /** The number of records that are in a batch already. */
  taken: number
}

/** An entry while its items are put into batches. */
class OpenEntry {
  readonly entry: Entry
  readonly source: PipelineSource | undefined
  /** The item whose records go into a batch next, once it is encoded. */
  current: EncodedItem | undefined
  span: EntrySpan | undefined
  /** Whether an item of a replayed dead letter still can't be published. */
  hasUnreadableItem = false
  readonly #items: Iterator<DecodedItem | ReplayedItem, void>
  readonly #digest = new ItemDigest()
  #peeked: IteratorResult<DecodedItem | ReplayedItem, void> | undefined
  #finished = 0
  /** The records of the next item that are committed, of as many as it had then. */
  #committedParts: CommittedParts = NO_PARTS

  constructor(entry: Entry, source: PipelineSource | undefined, items: Iterator<DecodedItem | ReplayedItem, void>) {
    this.entry = entry
    this.source = source
    this.#items = items
  }

  /** Starts the span of the entry, unless it was started for an earlier batch. */
  startSpan(tracing: Tracing | undefined): EntrySpan | undefined {
    if (this.entry.traceparent !== undefined) this.span ??= tracing?.startEntry(this.entry)
    return this.span
  }

  hasNext(): boolean {
    return this.peek() !== undefined
  }

  /** Returns the first item that is not finished. */
  peek(): DecodedItem | ReplayedItem | undefined {
    this.#peeked ??= this.#items.next()
    return this.#peeked.done ? undefined : this.#peeked.value
  }

  /** Makes the item that `peek` returns the current one. */
  setCurrent(item: EncodedItem): EncodedItem {
    const { parts, partCount, partsDigest } = this.#committedParts
    const { records } = item.encoded
    // An item that is split into other parts today is published from its first part.
    const isSameSplit = parts > 0 && records.length === partCount && digestOfFirst(records, parts) === partsDigest
    item.taken = isSameSplit ? parts : 0
    this.#committedParts = NO_PARTS
    this.current = item
    return item
  }

  /** Goes on behind the item that `peek` returns. */
  finishItem(): void {
    const item = this.peek()
    if (item) this.#digest.add(item.event.kind, item.event.eventId)
    this.#finished++
    this.#peeked = undefined
    this.current = undefined
  }

  place(): PlaceInEntry {
    return { items: this.#finished, ...this.#parts(), digest: this.#digest.value() }
  }

  isAt({ items, parts }: PlaceInEntry): boolean {
    return this.#finished === items && (this.current?.taken ?? this.#committedParts.parts) === parts
  }

  /** The number of items whose records are all in batches. */
  get finishedItems(): number {
    return this.#finished
  }

  /** Takes over how many records of the next item are committed. The items before it are finished. */
  markCommitted({ parts, partCount, partsDigest }: PlaceInEntry): void {
    this.#committedParts = { parts, partCount, partsDigest }
  }

  /**
   * Skips the items before a place.
   * @returns whether these are the items that are committed; false also if the signal aborts
   */
  async skipTo(place: PlaceInEntry, signal: AbortSignal): Promise<boolean> {
    while (this.#finished < place.items && this.hasNext()) {
      this.finishItem()
      if (this.#finished % ITEMS_PER_TURN === 0) await new Promise(setImmediate)
      if (signal.aborted) return false
    }
    this.markCommitted(place)
    return this.#finished === place.items && this.#digest.value() === place.digest
  }

  #parts(): CommittedParts {
    if (this.current === undefined) return this.#committedParts
    const { taken, encoded } = this.current
    if (taken === 0) return NO_PARTS
    const { records } = encoded
    return { parts: taken, partCount: records.length, partsDigest: digestOfFirst(records, taken) }
  }
}

type CommittedParts = Pick<PlaceInEntry, 'parts' | 'partCount' | 'partsDigest'>
const NO_PARTS: CommittedParts = { parts: 0, partCount: 0, partsDigest: '' }

const digestOfFirst = (records: readonly OutgoingRecord[], count: number): string =>
  digestOfParts(records.slice(0, count).map(({ value }) => value))

/** Collects what one transaction publishes. */
class BatchBuilder {
  /** The last entry that is completely in this batch or before it. */
  lastEntry: number
  readonly #deps: BatchPreparerDeps
  readonly #options: BatchOptions
  readonly #preparedAt: number
  /** The occurrences in this batch and in the one that is being committed. */
  readonly #inBatches: Map<string, FirstSeen>
  readonly #records: OutgoingRecord[] = []
  readonly #outcomes: ItemOutcome[] = []
  readonly #occurrences: EventOccurrence[] = []
  readonly #watchChanges: WatchChange[] = []
  readonly #entrySpans: EntrySpan[] = []
  /** The keys of the marks that are committed, and of those in the batch that is being committed. */
  readonly #knownMarks: readonly ReadonlySet<string>[]
  readonly #markKeys = new Set<string>()
  #items = 0
  #recordBytes = 0
  #bodyBytes = 0

  constructor(deps: BatchPreparerDeps, after: Position, options: BatchOptions, committedMarks: ReadonlySet<string>) {
    const { updates, markKeys } = options.beingCommitted ?? {}
    this.#deps = deps
    this.#options = options
    this.#preparedAt = deps.clock.now()
    this.#inBatches = new Map(updates?.occurrences.map((occurrence) => [occurrence.eventId, occurrence]))
    this.#knownMarks = [committedMarks, new Set(markKeys)]
    this.lastEntry = after.upTo
  }

  get isFull(): boolean {
    const { share } = this.#options
    const { items, recordBytes } = this.#deps.limits ?? MAX_BATCH
    return this.#items >= items * share || this.#recordBytes >= recordBytes * share
  }

  addSpan(span: EntrySpan | undefined): void {
    if (span) this.#entrySpans.push(span)
  }

  /** Whether the same entry of another journal was imported before. */
  isImportedAgain(entry: Entry): boolean {
    const eventId = importIdOf(entry)
    return eventId !== undefined && this.#isKnown(this.#occurrenceOf(entry, eventId, 0))
  }

  /** @param open the entry with its items; left out if none of them is published */
  finishEntry(entry: Entry, open?: OpenEntry): void {
    const { seq, body } = entry
    this.lastEntry = seq
    this.#bodyBytes += body.byteLength
    if (open === undefined) return
    const importId = importIdOf(entry)
    if (importId !== undefined) this.#remember(this.#occurrenceOf(entry, importId, 0))
    if (isReplay(entry) && !open.hasUnreadableItem) this.#closeDeadLetter(entry.origin.eventId)
  }

  #closeDeadLetter(deadLetter: string): void {
    if (this.#isMarked(deadLetter)) return
    this.#records.push(closingMarkRecord(this.#deps.replayMarks.topic, { deadLetter, at: this.#preparedAt }))
    this.#markKeys.add(deadLetter)
  }

  build(position: Position): Batch {
    const updates = { occurrences: this.#occurrences, watchChanges: this.#watchChanges }
    const isLarge =
      position.place !== null || this.#items >= LARGE_BATCH.items || this.#bodyBytes >= LARGE_BATCH.bodyBytes
    return {
      position,
      records: this.#records,
      outcomes: this.#outcomes,
      updates,
      markKeys: [...this.#markKeys],
      isLarge,
      preparedAt: this.#preparedAt,
      entrySpans: this.#entrySpans,
      unfinishedSpan: position.place === null ? undefined : this.#entrySpans.at(-1),
    }
  }

  /**
   * Adds items until the entry is at its end, the batch is full, or the signal aborts.
   * @param end the number of items of the entry before which the batch ends even if it is not full
   */
  async addItems(open: OpenEntry, end: number): Promise<void> {
    if (!open.span?.isRecorded) return this.#addItems(open, end)
    const firstOutcome = this.#outcomes.length
    open.span.startDecoding()
    await this.#addItems(open, end)
    open.span.endDecoding(this.#outcomes.slice(firstOutcome))
  }

  async #addItems(open: OpenEntry, end: number): Promise<void> {
    while (!this.isFull && open.finishedItems < end && open.hasNext()) {
      if (this.#items % ITEMS_PER_TURN === ITEMS_PER_TURN - 1) await new Promise(setImmediate)
      if (this.#options.signal.aborted) return
      const item = open.current ?? open.setCurrent(this.#encode(open))
      const { records } = item.encoded
      // The mark of a replayed item is committed in the transaction that publishes it.
      while (item.taken < records.length && (item.replay !== undefined || !this.isFull)) {
        const record = records[item.taken]!
        this.#records.push(record)
        this.#recordBytes += record.value.length + RECORD_OVERHEAD_BYTES
        item.taken++
      }
      if (item.taken < records.length) return
      this.#finish(item, open)
      open.finishItem()
    }
  }

  #encode(open: OpenEntry): EncodedItem {
    const { encoder, observer } = this.#deps
    const { entry } = open
    const decoded = open.peek()!
    const { event, itemIndex, isIdentified, body } = decoded
    const occurrence = this.#occurrenceOf(entry, event.eventId, itemIndex)
    const isDuplicate = isIdentified && this.#isKnown(occurrence)
    observer.decoded?.(event, isDuplicate, open.span?.traceparent)
    if (isReplay(entry) && 'place' in decoded) {
      const replayed = this.#encodeReplayed(entry.origin.eventId, decoded, originOf(open, body), isDuplicate)
      return { decoded, occurrence, isDuplicate, ...replayed, taken: 0 }
    }
    const encoded = isDuplicate ? NO_RECORDS : encoder.encode(event, originOf(open, body))
    return { decoded, occurrence, isDuplicate, encoded, taken: 0 }
  }

  /** What still can't be published of a dead letter stays where it is: it does not become a second dead letter. */
  #encodeReplayed(
    deadLetter: string,
    { event, place }: ReplayedItem,
    origin: Origin,
    isDuplicate: boolean,
  ): Pick<EncodedItem, 'encoded' | 'replay'> {
    const { eventId, kind } = event
    if (kind === 'dead-letter') return { encoded: NO_RECORDS, replay: 'unreadable' }
    const key = itemMarkKey(deadLetter, place)
    if (this.#isMarked(deadLetter) || this.#isMarked(key)) return { encoded: NO_RECORDS, replay: 'duplicate' }
    const replay = isDuplicate ? 'duplicate' : 'published'
    const encoded = isDuplicate ? NO_RECORDS : this.#deps.encoder.encode(event, origin)
    if (encoded.deadLetter !== null) return { encoded: NO_RECORDS, replay: 'unreadable' }
    const mark = { deadLetter, place, eventId, kind, outcome: replay, at: this.#preparedAt } as const
    this.#markKeys.add(key)
    const records = [...encoded.records, itemMarkRecord(this.#deps.replayMarks.topic, mark)]
    return { encoded: { records, deadLetter: null }, replay }
  }

  #isMarked(key: string): boolean {
    return this.#markKeys.has(key) || this.#knownMarks.some((keys) => keys.has(key))
  }

  #finish({ decoded, occurrence, isDuplicate, encoded, replay }: EncodedItem, open: OpenEntry): void {
    const { event, isIdentified } = decoded
    const { source } = open
    this.#items++
    const outcome = outcomeOf(event, isDuplicate, encoded.deadLetter)
    this.#outcomes.push(replay === undefined ? outcome : { ...outcome, replay })
    if (replay === 'unreadable') {
      open.hasUnreadableItem = true
      return
    }
    // An event that no record can hold was not published under its identity. A later item with the same identity, for
    // example a replay of this one, may be published.
    if (encoded.deadLetter !== null && event.kind !== 'dead-letter') return
    if (source?.updatesWatchList && event.kind === 'dlr' && (event.final || !isDuplicate)) {
      this.#watchChanges.push(watchChangeOf(event))
    }
    if (isDuplicate || !isIdentified) return
    this.#remember(occurrence)
  }

  #remember(occurrence: EventOccurrence): void {
    this.#inBatches.set(occurrence.eventId, occurrence)
    this.#occurrences.push(occurrence)
  }

  /** An event id is remembered for a certain time from its arrival or, if the entry is handed in again, from now on. */
  #occurrenceOf({ seq, origin, receivedAt }: Entry, eventId: string, itemIndex: number): EventOccurrence {
    return { eventId, seq, itemIndex, receivedAt: origin === undefined ? receivedAt : this.#preparedAt }
  }

  /** Whether an item with the same identity came before this one, in the batches under way or in what is released. */
  #isKnown(occurrence: EventOccurrence): boolean {
    const { eventId } = occurrence
    const firstSeen = this.#inBatches.get(eventId) ?? this.#deps.journal.findFirstSeen(eventId)
    return firstSeen !== undefined && isEarlier(firstSeen, occurrence)
  }
}

const originOf = ({ entry: { facts }, span }: OpenEntry, body: Uint8Array): Origin =>
  span === undefined ? { body, facts } : { body, facts, traceparent: span.traceparent }

/** Only an earlier occurrence makes an item a duplicate, so the decision comes out the same when it is made again. */
const isEarlier = (first: FirstSeen, { seq, itemIndex }: EventOccurrence): boolean =>
  first.seq < seq || (first.seq === seq && first.itemIndex < itemIndex)

/** Identifies an imported entry, so that it is published once however often it is imported; undefined for other entries. */
const importIdOf = ({ origin }: Entry): string | undefined =>
  origin?.kind === 'import' ? `import ${origin.journalId}-${origin.seq}` : undefined

const outcomeOf = (event: Event, isDuplicate: boolean, deadLetter: DeadLetterSummary | null): ItemOutcome => ({
  source: event.source,
  via: event.via,
  kind: isDuplicate ? 'duplicate' : deadLetter === null ? event.kind : 'dead-letter',
  deadLetter,
  receivedAt: event.receivedAt,
})

const watchChangeOf = ({ source, messageId, receivedAt, final }: Event & { kind: 'dlr' }): WatchChange => {
  return { source, messageId, receivedAt, state: final ? 'closed' : 'open' }
}
