/**
 * From bytes in custody to events: what the provider's decoder says, in an envelope.
 *
 * Pure: the same entry gives the same events with the same ids, also after a crash and on replay.
 */
import { hash } from 'node:crypto'
import { messageOf } from '../core/errors.js'
import type { Event } from '../core/event.js'
import { isFinal } from '../core/event.js'
import type { Entry } from '../journal/journal.js'
import type { DecodeSettings, Identity, Item, Provider } from '../providers/provider.js'

/** An event, where in its entry it stood, and what it was read from. */
export interface DecodedItem {
  readonly event: Event
  /** Counts the items of one entry from 0. */
  readonly place: number
  /** Whether the provider says which item it is; only then can it be a duplicate. */
  readonly identified: boolean
  /** The bytes of the row or report. */
  readonly body: Uint8Array
}

/** A source as the decoder needs it. */
export interface DecodableSource {
  readonly provider: Provider
  readonly settings: DecodeSettings
}

export function* decode(
  entry: Entry,
  source: DecodableSource | undefined,
  journalId: string,
): Generator<DecodedItem, void, undefined> {
  let place = 0
  for (const item of itemsOf(entry, source)) {
    const identity = identityOf(item, entry)
    const eventId = identity ? idOf(entry.source, item.kind, identity) : `${journalId}-${entry.seq}-${place}`
    yield { event: toEvent(item, entry, eventId), place, identified: identity !== null, body: item.body }
    place++
  }
}

function* itemsOf(entry: Entry, source: DecodableSource | undefined): Generator<Item, void, undefined> {
  if (source?.provider.name !== entry.provider) return yield homeless(entry)
  let unreadable = 0
  try {
    for (const item of source.provider.decode(entry, source.settings)) {
      if (item.kind !== 'dead-letter' || ++unreadable < MAX_UNREADABLE) yield item
    }
    if (unreadable >= MAX_UNREADABLE) yield tooMany(entry, unreadable)
  } catch (error) {
    // A provider never throws. If one does, one entry must not hold up all that lie behind it.
    yield broken(entry, error)
  }
}

/** Of one entry: a body of nothing but `{},{},…` would become more dead letters than it has bytes for. */
const MAX_UNREADABLE = 1_000

const tooMany = (entry: Entry, unreadable: number): Item => ({
  kind: 'dead-letter',
  reason: 'too-many-unreadable',
  detail: `${unreadable} items in one request or page could not be read; the first ${MAX_UNREADABLE - 1} have dead letters of their own, all are in this one`,
  body: entry.body,
})

/** An entry whose source was renamed or taken out of the configuration: kept, replayable, never guessed at. */
const homeless = (entry: Entry): Item => ({
  kind: 'dead-letter',
  reason: 'unknown-source',
  detail: `the configuration has no source "${entry.source}" of provider ${entry.provider} any more; put it back and replay this`,
  body: entry.body,
})

const broken = (entry: Entry, error: unknown): Item => ({
  kind: 'dead-letter',
  reason: 'decoder-failed',
  detail: `the decoder of provider ${entry.provider} failed: ${messageOf(error)}; report it with this body, and replay this once it is mended`,
  body: entry.body,
})

/**
 * A log that can be asked again gives the same row each time it is read. What the provider does not identify in it is
 * known by its bytes; anywhere else the same bytes may well be another item.
 */
const identityOf = (item: Item, entry: Entry): Identity => {
  const identity = item.kind === 'dead-letter' ? null : item.identity
  return identity ?? (entry.via === 'QUERY' ? ['row', hash('sha256', item.body, 'hex')] : null)
}

const idOf = (source: string, kind: string, identity: NonNullable<Identity>): string =>
  hash('sha256', JSON.stringify([source, kind, ...identity]), 'hex').slice(0, 32)

/** Field by field: this runs for every item, and taking an object apart with `...rest` costs more than all else here. */
function toEvent(item: Item, entry: Entry, eventId: string): Event {
  const { source, provider, via, receivedAt, facts } = entry
  switch (item.kind) {
    case 'dlr':
      return {
        kind: 'dlr',
        eventId,
        source,
        provider,
        via,
        receivedAt,
        messageId: item.messageId,
        recipient: item.recipient,
        sender: item.sender,
        status: item.status,
        final: isFinal(item.status),
        providerStatus: item.providerStatus,
        providerStatusText: item.providerStatusText,
        errorCode: item.errorCode,
        occurredAt: item.occurredAt,
        raw: item.raw,
      }
    case 'mo':
      return {
        kind: 'mo',
        eventId,
        source,
        provider,
        via,
        receivedAt,
        messageId: item.messageId,
        sender: item.sender,
        recipient: item.recipient,
        text: item.text,
        keyword: item.keyword,
        inReplyTo: item.inReplyTo,
        occurredAt: item.occurredAt,
        raw: item.raw,
      }
    case 'dead-letter': {
      const { reason, detail, body } = item
      return {
        kind: 'dead-letter',
        eventId,
        source,
        provider,
        via,
        receivedAt,
        reason,
        detail,
        body,
        request: { ...facts },
      }
    }
  }
}
