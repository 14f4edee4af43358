/**
 * Knows which items of an answer are published or in the journal already.
 *
 * An item counts as known only if it has an identity (pipeline/decode.ts identifies a row without an id by its bytes) and
 * its event id is found. Everything else counts as new. An item that is wrongly taken for new costs a duplicate, which
 * the pipeline suppresses; an item that is wrongly taken for known would be lost.
 */
import type { Journal, NewEntry } from '../journal/journal.js'
import { type DecodableSource, decode } from '../pipeline/decode.js'

export interface KnownItemsDeps {
  readonly journal: Pick<Journal, 'id' | 'releasedUpTo' | 'findFirstSeen'>
  readonly findSource: (name: string) => DecodableSource | undefined
}

/** An answer compared with what is published or in the journal. */
export interface AnswerComparison {
  /** The number of items in the answer. */
  readonly items: number
  /** False only if every item is known, or if there is none. */
  readonly hasNewItems: boolean
  /** Ids of the messages whose final receipt is in the answer. */
  readonly finalMessageIds: readonly string[]
  /** To be called with the sequence number of the entry once the answer is in the journal. */
  readonly markStored: (seq: number) => void
}

const MAX_REMEMBERED_IDS = 200_000

export class KnownItems {
  readonly #deps: KnownItemsDeps
  /** Event ids of stored answers, each with the entry that holds it. Entries may have been released since. */
  readonly #inJournal = new Map<string, number>()

  constructor(deps: KnownItemsDeps) {
    this.#deps = deps
  }

  compare(entry: NewEntry): AnswerComparison {
    const { journal, findSource } = this.#deps
    const newEventIds: string[] = []
    const finalMessageIds: string[] = []
    let items = 0
    let hasNewItems = false
    for (const { event, isIdentified } of decode({ ...entry, seq: 0 }, findSource(entry.source), journal.id)) {
      items++
      if (event.kind === 'dlr' && event.final) finalMessageIds.push(event.messageId)
      if (isIdentified && this.#isKnown(event.eventId)) continue
      hasNewItems = true
      if (isIdentified) newEventIds.push(event.eventId)
    }
    return { items, hasNewItems, finalMessageIds, markStored: (seq) => this.#remember(newEventIds, seq) }
  }

  #isKnown(eventId: string): boolean {
    const { journal } = this.#deps
    const seq = this.#inJournal.get(eventId)
    // An entry that is not released is durable, and the journal releases it only once it is published.
    if (seq !== undefined && seq > journal.releasedUpTo) return true
    this.#inJournal.delete(eventId)
    return journal.findFirstSeen(eventId) !== undefined
  }

  #remember(eventIds: readonly string[], seq: number): void {
    if (this.#inJournal.size > MAX_REMEMBERED_IDS) this.#forgetReleased()
    for (const eventId of eventIds) this.#inJournal.set(eventId, seq)
  }

  #forgetReleased(): void {
    const { releasedUpTo } = this.#deps.journal
    for (const [eventId, seq] of this.#inJournal) if (seq <= releasedUpTo) this.#inJournal.delete(eventId)
    if (this.#inJournal.size > MAX_REMEMBERED_IDS) this.#inJournal.clear()
  }
}
