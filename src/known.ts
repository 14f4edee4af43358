/**
 * Which answers of a provider that can be asked again hold nothing new.
 *
 * An item is surely known if it is identified, and published or in the journal; or if it is not identified and the very
 * same bytes, a row of the provider's log with its time and all, were taken into the journal before. Everything else is
 * news. A wrong "news" costs a duplicate that the pipeline suppresses; a wrong "known" would lose an item.
 */
import { createHash } from 'node:crypto'
import { type DecodableSource, decode, type Decoded } from './decode.js'
import type { Recognised } from './intake/reconcile-api.js'
import type { Journal, NewEntry } from './journal/journal.js'

export interface KnownItemsParts {
  readonly journal: Pick<Journal, 'id' | 'released' | 'firstArrival'>
  readonly source: (name: string) => DecodableSource | undefined
}

/** Event ids, or rows, that are remembered at most. */
const MOST = 200_000

export class KnownItems {
  readonly #parts: KnownItemsParts
  /** Event id -> the entry that brought it, which was not released yet when it was last looked for. */
  readonly #inJournal = new Map<string, number>()
  /** Rows without identity that were taken. */
  readonly #rows = new Set<string>()

  constructor(parts: KnownItemsParts) {
    this.#parts = parts
  }

  recognise(entry: NewEntry): Recognised {
    const { journal, source } = this.#parts
    const events: string[] = []
    const rows: string[] = []
    const settled: string[] = []
    const counts = new Map<string, number>()
    let items = 0
    for (const decoded of decode({ ...entry, seq: 0 }, source(entry.source), journal.id)) {
      const { event, identified } = decoded
      items++
      if (event.kind === 'dlr' && event.final) settled.push(event.messageId)
      if (identified) {
        if (!this.#isKnown(event.eventId)) events.push(event.eventId)
        continue
      }
      const row = rowOf(decoded)
      const nth = (counts.get(row) ?? 0) + 1
      counts.set(row, nth)
      if (!this.#rows.has(`${row} ${nth}`)) rows.push(`${row} ${nth}`)
    }
    return {
      items,
      news: events.length > 0 || rows.length > 0,
      settled,
      taken: (seq) => this.#taken(events, rows, seq),
    }
  }

  #isKnown(eventId: string): boolean {
    const { journal } = this.#parts
    const seq = this.#inJournal.get(eventId)
    if (seq !== undefined && seq > journal.released) return true // durable, and released only once it is published
    this.#inJournal.delete(eventId)
    return journal.firstArrival(eventId) !== undefined
  }

  #taken(events: readonly string[], rows: readonly string[], seq: number): void {
    if (this.#inJournal.size > MOST) this.#forget()
    if (this.#rows.size > MOST) this.#rows.clear()
    for (const event of events) this.#inJournal.set(event, seq)
    for (const row of rows) this.#rows.add(row)
  }

  #forget(): void {
    const { released } = this.#parts.journal
    for (const [event, seq] of this.#inJournal) if (seq <= released) this.#inJournal.delete(event)
    if (this.#inJournal.size > MOST) this.#inJournal.clear()
  }
}

const rowOf = ({ event, body }: Decoded): string =>
  createHash('sha256').update(`${event.source} ${event.kind} `).update(body).digest('base64')
