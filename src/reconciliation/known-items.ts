/**
 * Which answers of a provider that can be asked again hold nothing new.
 *
 * An item is surely known if it is identified (decode.ts tells rows without an id of the provider's by their bytes), and
 * published or in the journal. Everything else is news. A wrong "news" costs a duplicate that the pipeline suppresses; a
 * wrong "known" would lose an item.
 */
import { type DecodableSource, decode } from '../pipeline/decode.js'
import type { Recognised } from './answer-keeper.js'
import type { Journal, NewEntry } from '../journal/journal.js'

export interface KnownItemsDeps {
  readonly journal: Pick<Journal, 'id' | 'releasedUpTo' | 'findFirstSeen'>
  readonly source: (name: string) => DecodableSource | undefined
}

/** Event ids that are remembered at most. */
const MOST = 200_000

export class KnownItems {
  readonly #deps: KnownItemsDeps
  /** Event id -> the entry that brought it, which was not released yet when it was last looked for. */
  readonly #inJournal = new Map<string, number>()

  constructor(deps: KnownItemsDeps) {
    this.#deps = deps
  }

  recognise(entry: NewEntry): Recognised {
    const { journal, source } = this.#deps
    const fresh: string[] = []
    const settled: string[] = []
    let items = 0
    let news = false
    for (const decoded of decode({ ...entry, seq: 0 }, source(entry.source), journal.id)) {
      const { event, identified } = decoded
      items++
      if (event.kind === 'dlr' && event.final) settled.push(event.messageId)
      if (identified && this.#isKnown(event.eventId)) continue
      news = true
      if (identified) fresh.push(event.eventId)
    }
    return { items, hasNewItems: news, settled, markStored: (seq) => this.#taken(fresh, seq) }
  }

  #isKnown(eventId: string): boolean {
    const { journal } = this.#deps
    const seq = this.#inJournal.get(eventId)
    if (seq !== undefined && seq > journal.releasedUpTo) return true // durable, and released only once it is published
    this.#inJournal.delete(eventId)
    return journal.findFirstSeen(eventId) !== undefined
  }

  #taken(eventIds: readonly string[], seq: number): void {
    if (this.#inJournal.size > MOST) this.#forget()
    for (const eventId of eventIds) this.#inJournal.set(eventId, seq)
  }

  #forget(): void {
    const { releasedUpTo: released } = this.#deps.journal
    for (const [eventId, seq] of this.#inJournal) if (seq <= released) this.#inJournal.delete(eventId)
    if (this.#inJournal.size > MOST) this.#inJournal.clear()
  }
}
