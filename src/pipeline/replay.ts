/**
 * Decodes dead letters again, with the decoders and the configuration of today.
 *
 * The body of a dead letter is all that was received, or the bytes of one item of it. What was published when the dead letter
 * was made must not be published by its replay, so where a body may hold other items as well, the reason of the dead letter
 * decides which of them are new:
 *
 * - `decoder-failed`: the decoder had returned so many items before it failed as the event id of the dead letter says. They are
 *   skipped.
 * - `too-many-unreadable`: the items that were published lie between those that were not. Nothing of it is decoded.
 * - Any other reason: an item with an identity is recognised by its event id. One without identity that shares its bytes with
 *   others, as the reports of one form do, can't be told apart from those that were published, and is not decoded. Nothing was
 *   published of a request whose source was unknown or whose body could not be decoded at all.
 */
import { hash } from 'node:crypto'
import { hashToEventId } from '../core/event.js'
import type { Received, RequestFacts } from '../core/received.js'
import type { EntryOrigin, NewEntry } from '../journal/journal.js'
import type { DeadLetterItem, Item } from '../providers/provider.js'
import {
  type DecodableSource,
  decodeAnswer,
  type DecodedItem,
  decoderFailed,
  identityOf,
  toEvent,
  unknownSource,
} from './decode.js'

export type DeadLetterOrigin = EntryOrigin & { readonly kind: 'dead-letter' }

/** An item of a dead letter. What still can't be read has an event of kind `dead-letter`, with the event id of the original. */
export interface ReplayedItem extends DecodedItem {
  /**
   * Identifies the item within its dead letter, by its bytes and fields. It stays the same when a later decoder reads items
   * that an earlier one could not. Empty for what still can't be read.
   */
  readonly place: string
}

/** Reasons of dead letters that hold a whole request or answer of which nothing was published. */
const NOTHING_WAS_PUBLISHED: ReadonlySet<string> = new Set(['unknown-source', 'undecodable', 'decoder-failed'])

/**
 * @param entry its body is that of the dead letter, all parts joined
 * @param source the source of the dead letter as it is configured today; undefined if it is not
 */
export function* decodeDeadLetter(
  entry: NewEntry,
  origin: DeadLetterOrigin,
  source: DecodableSource | undefined,
): Generator<ReplayedItem, void, undefined> {
  const items = readItems(entry, origin, source)
  let next = items.next()
  let itemIndex = 0
  const places = new PlaceCounter()
  while (!next.done) {
    const item = next.value
    next = items.next()
    let replayed: ReplayedItem
    const isOnly = itemIndex === 0 && next.done === true
    const context = { entry, origin, itemIndex, isOnly, places }
    try {
      replayed = toReplayedItem(item, context)
    } catch (error) {
      replayed = toReplayedItem(decoderFailed(entry, error), context)
    }
    yield replayed
    itemIndex++
  }
}

interface ItemContext {
  readonly entry: NewEntry
  readonly origin: DeadLetterOrigin
  readonly itemIndex: number
  /** Whether the dead letter holds no other item. */
  readonly isOnly: boolean
  readonly places: PlaceCounter
}

function toReplayedItem(item: Item, { entry, origin, itemIndex, isOnly, places }: ItemContext): ReplayedItem {
  const { eventId: deadLetterId, reason } = origin
  const { body } = item
  const identity = identityOf(item, entry)
  const sharesBytes = !isOnly && body.byteLength === entry.body.byteLength && !NOTHING_WAS_PUBLISHED.has(reason)
  const unreadable =
    item.kind === 'dead-letter' ? item : identity === null && sharesBytes ? inseparable(body) : undefined
  if (unreadable !== undefined || item.kind === 'dead-letter') {
    const event = toEvent(unreadable ?? item, entry, deadLetterId)
    return { event, itemIndex, isIdentified: false, body, place: '' }
  }
  const place = places.placeOf(body, item.raw)
  const ownId = isOnly ? deadLetterId : `${deadLetterId}-${place}`
  const eventId = identity ? hashToEventId([entry.source, item.kind, ...identity]) : ownId
  return { event: toEvent(item, entry, eventId), itemIndex, isIdentified: identity !== null, body, place }
}

const inseparable = (body: Uint8Array): DeadLetterItem => ({
  kind: 'dead-letter',
  reason: 'inseparable',
  detail:
    'the item has no identity and shares its bytes with others of the same request, some of which may have been published; ' +
    'send it again by hand if it is missing',
  body,
})

/** Never throws. */
function* readItems(
  entry: NewEntry,
  { eventId, reason }: DeadLetterOrigin,
  source: DecodableSource | undefined,
): Generator<Item, void, undefined> {
  if (source?.provider.name !== entry.provider) {
    yield unknownSource(entry)
    return
  }
  if (reason === 'too-many-unreadable') {
    yield {
      kind: 'dead-letter',
      reason,
      detail:
        'the body holds all items of a request or page, also those that were published; it can not be replayed as a whole, and ' +
        'the items that have dead letters of their own can',
      body: entry.body,
    }
    return
  }
  let skipped = reason === 'decoder-failed' ? itemIndexOf(eventId) : 0
  try {
    for (const item of decodeReading(chooseReading(entry, source), source)) {
      if (skipped === 0) yield item
      else skipped--
    }
    // Nothing was left to be read, but what was published before is not what the decoder finds today.
    if (skipped > 0) yield fewerItems(entry, skipped)
  } catch (error) {
    yield decoderFailed(entry, error)
  }
}

const fewerItems = ({ body }: NewEntry, missing: number): DeadLetterItem => ({
  kind: 'dead-letter',
  reason: 'decoder-failed',
  detail:
    `${missing} items that were published before the decoder failed are not found today, so it is not known what is new in the ` +
    'body; read it, and send by hand what is missing',
  body,
})

/** The last number of an event id of the form `<journal id>-<sequence number>-<index of the item>`; 0 for any other. */
const itemIndexOf = (eventId: string): number => Number(/-\d+-(\d+)$/.exec(eventId)?.[1] ?? 0)

const decodeReading = (received: Received, { provider, settings }: DecodableSource): Generator<Item, void, undefined> =>
  decodeAnswer(received, (each) => (provider.decodeDeadLetter ?? provider.decode)(each, settings))

/**
 * Returns how the body has to be read. The facts of a dead letter are those of the whole request or answer. If the body is one
 * item of it, content coding and framing have been removed from these bytes already. The facts as they are come first, because
 * with them the bytes of one item are not readable.
 */
function chooseReading(entry: NewEntry, source: DecodableSource): Received {
  const { 'content-encoding': contentEncoding, 'framing-error': framingError, ...facts } = entry.facts
  if (contentEncoding === undefined && framingError === undefined) return entry
  if (framingError !== undefined && beginsLikeResponse(entry.body)) return entry
  const asItem = { ...entry, facts: facts satisfies RequestFacts }
  if (framingError !== undefined) return asItem
  const first = decodeReading(entry, source).next()
  const isUndecodable = !first.done && first.value.kind === 'dead-letter' && first.value.reason === 'undecodable'
  return isUndecodable ? asItem : entry
}

const beginsLikeResponse = (body: Uint8Array): boolean =>
  Buffer.from(body.buffer, body.byteOffset, Math.min(body.byteLength, 5)).toString('latin1') === 'HTTP/'

/** Counts the items that have the same bytes and fields, so that each has a place of its own. */
class PlaceCounter {
  readonly #counts = new Map<string, number>()

  placeOf(body: Uint8Array, raw: Readonly<Record<string, string>>): string {
    const digest = hash('sha256', JSON.stringify([hash('sha256', body), Object.entries(raw)])).slice(0, 16)
    const count = this.#counts.get(digest) ?? 0
    this.#counts.set(digest, count + 1)
    return count === 0 ? digest : `${digest}.${count}`
  }
}
