/**
 * The books of a demo run: what the providers handed out, what of it is owed, and what came out, item by item.
 *
 * An item is known by its own content. It may rightly come twice if it was handed out twice, so everything is counted.
 */

export type Kind = 'receipts' | 'messages' | 'bad input'

interface Entry {
  source: string
  kind: Kind
  handedOut: number
  owed: number
  published: number
  deadLettered: number
}

export interface Row {
  source: string
  kind: Kind
  handedOut: number
  /** Acknowledged: answered 200, or the page was followed by a request for the next. The rest nobody promised. */
  owed: number
  published: number
  deadLettered: number
  lost: number
  doubled: number
}

/** Which topic an item must be on: nowhere else is it where it belongs. */
const BELONGS: Record<Kind, 'published' | 'deadLettered'> = {
  receipts: 'published',
  messages: 'published',
  'bad input': 'deadLettered',
}

export class Ledger {
  readonly #entries = new Map<string, Entry>()
  /** What came out and was never handed out, or came out otherwise than it went in: a phrase each. */
  readonly strange: string[] = []

  handedOut(source: string, kind: Kind, key: string, owed: boolean): void {
    const id = `${source} ${key}`
    const entry = this.#entries.get(id) ?? { source, kind, handedOut: 0, owed: 0, published: 0, deadLettered: 0 }
    entry.handedOut += 1
    if (owed) entry.owed += 1
    this.#entries.set(id, entry)
  }

  /** @param kind by the topic on which it was found */
  published(source: string, kind: Kind, key: string): void {
    const entry = this.#entries.get(`${source} ${key}`)
    if (entry === undefined) this.strange.push(`never handed out by ${source}: ${key}`)
    else if (entry.kind !== kind)
      this.strange.push(`of the ${entry.kind} of ${source}, found among the ${kind}: ${key}`)
    else entry.published += 1
  }

  deadLettered(source: string, key: string): void {
    const entry = this.#entries.get(`${source} ${key}`)
    if (entry === undefined) this.strange.push(`a dead letter that nobody sent: ${source} ${key}`)
    else entry.deadLettered += 1
  }

  /** One row per source and kind, in the order of first appearance, and their sum at the end. */
  rows(): Row[] {
    const rows = new Map<string, Row>()
    const total = emptyRow('total', 'receipts')
    for (const entry of this.#entries.values()) {
      const id = `${entry.source} ${entry.kind}`
      const row = rows.get(id) ?? emptyRow(entry.source, entry.kind)
      rows.set(id, row)
      const arrived = entry[BELONGS[entry.kind]]
      for (const sum of [row, total]) {
        sum.handedOut += entry.handedOut
        sum.owed += entry.owed
        sum.published += entry.published
        sum.deadLettered += entry.deadLettered
        sum.lost += Math.max(0, entry.owed - arrived)
        sum.doubled += Math.max(0, entry.published + entry.deadLettered - entry.handedOut)
      }
    }
    return [...rows.values(), total]
  }
}

function emptyRow(source: string, kind: Kind): Row {
  return { source, kind, handedOut: 0, owed: 0, published: 0, deadLettered: 0, lost: 0, doubled: 0 }
}

/**
 * An item's content as a key: its fields in the order of their names, without what only the envelope says.
 * `data[id]` and `id` are the same field in two of seven's shapes.
 */
export function contentKey(fields: Readonly<Record<string, string>>): string {
  const own = Object.entries(fields)
    .map(([name, value]): [string, string] => [/^data\[(.+)\]$/.exec(name)?.[1] ?? name, value])
    .filter(([name]) => !ENVELOPE.has(name))
    .sort(([one], [other]) => (one < other ? -1 : 1))
  return JSON.stringify(own)
}

const ENVELOPE = new Set(['webhook_event', 'webhook_timestamp', 'timestamp'])
