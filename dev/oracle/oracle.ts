/**
 * The oracle decides whether the connector kept its promises: it compares what the providers handed out with the records
 * that a `read_committed` consumer finds.
 *
 * An item is *owed* as soon as its callback was answered with 200, or its page was followed by the next request. At the
 * end every owed item is on exactly one topic exactly once, with the content that the documents determine, and no record
 * is there that was never handed out. An item that was handed out and is not owed may be there once, or not at all.
 */
import { findBadInputMark } from './bad-input.js'
import { contentKey } from './content-key.js'
import { expectedHeaders, type ExpectedRecord } from './expected-records.js'
import { kindOfTopic, type TopicKind, type TopicRecord, type Topics } from './topic-reader.js'

/** One time that a provider handed out an item. */
export interface HandedOutItem {
  readonly source: string
  /** The topic on which the item belongs. */
  readonly kind: TopicKind
  /** Identifies the item among those of its source: its content key, or the mark of bad input. */
  readonly content: string
  /** Undefined for bad input, of which only topic and bytes are known. A function, because there may be a million items. */
  readonly expected?: () => ExpectedRecord
  /** Whether the provider gives the item an identity. An item with one is published once, however often it arrives. */
  readonly hasIdentity: boolean
  /** When handing out began, by any clock, as long as it is the same for all items of a source. */
  readonly startedAt: number
  /** When the connector acknowledged the item, by the same clock. Undefined: it is not owed. */
  readonly acknowledgedAt: number | undefined
  /** The instance to which the item was given, if there are several. Order is promised for each instance alone. */
  readonly instance?: string
  /** Whether the provider has forgotten the item, so that it is gone unless the connector has it. */
  readonly isOnlyCopy?: boolean
  /** Whether the item was sent over and over in one answer, so that without an identity it may be there any number of times. */
  readonly isEndless?: boolean
}

/** Bytes of an answer that are neither a whole row nor the end of a page. A dead letter is expected to contain them. */
export interface PageRemainder {
  readonly source: string
  readonly bytes: Buffer
  /** An owed remainder must be there with all its bytes. Of another one any part may be there, or none. */
  readonly isOwed: boolean
}

/** Counts of the items of one source on one topic, or of all items. */
export interface Tally {
  /** How often items were handed out, repetitions included. */
  handedOut: number
  /** Items that must be there. */
  owed: number
  /** Records on the topics for receipts and messages. */
  published: number
  /** Records on the topic for dead letters. */
  deadLettered: number
  /** Items of a destructive queue that were on the wire and exist nowhere any more. Nothing can prevent that. */
  gone: number
  lost: number
  doubled: number
}

export interface Verdict {
  readonly total: Tally
  readonly bySource: readonly (Tally & { readonly source: string; readonly kind: TopicKind })[]
  /** Owed items that are not there, one line each. */
  readonly lost: readonly string[]
  /** Items that are there too often, one line each. */
  readonly doubled: readonly string[]
  /** Items that are there under more event ids than they may have. No delivery mode allows that. */
  readonly doubledUnderAnotherId: readonly string[]
  /** Every other difference, one line each: content, key, headers, order, topic, records that were never handed out. */
  readonly wrong: readonly string[]
}

/**
 * Returns every difference that the verdict contains, one line each.
 *
 * @param mayDouble whether an item may be there more than once under its event id, as with at-least-once delivery
 */
export function listProblems(verdict: Verdict, { mayDouble = false } = {}): string[] {
  return [
    ...(verdict.total.handedOut === 0 ? ['Nothing was handed out, so that nothing was checked.'] : []),
    ...verdict.lost.map((item) => `LOST ${item}`),
    ...(mayDouble ? [] : verdict.doubled.map((item) => `DOUBLED ${item}`)),
    ...verdict.doubledUnderAnotherId.map((item) => `DOUBLED UNDER ANOTHER EVENT ID ${item}`),
    ...verdict.wrong.map((item) => `WRONG ${item}`),
  ]
}

/** All that is known of one item. */
interface Item {
  readonly first: HandedOutItem
  handedOut: number
  acknowledged: number
  isEndless: boolean
  /** The earliest start of all times that the item was handed out. */
  startedAt: number
  /** The earliest acknowledgement. */
  acknowledgedAt: number | undefined
  /** The event id of each record of the item, in the order in which the records were read. */
  readonly eventIds: string[]
}

export class Oracle {
  readonly #topics: Topics
  readonly #items = new Map<string, Item>()
  readonly #remainders: (PageRemainder & { isFound: boolean })[] = []

  constructor(topics: Topics) {
    this.#topics = topics
  }

  addItem(handedOut: HandedOutItem): void {
    const id = idOf(handedOut.source, handedOut.content)
    const { startedAt, acknowledgedAt, isEndless = false } = handedOut
    const item = this.#items.get(id)
    if (!item) {
      const acknowledged = acknowledgedAt === undefined ? 0 : 1
      const counts = { handedOut: 1, acknowledged, isEndless, startedAt, acknowledgedAt, eventIds: [] }
      this.#items.set(id, { first: handedOut, ...counts })
      return
    }
    item.handedOut++
    item.isEndless ||= isEndless
    item.startedAt = Math.min(item.startedAt, startedAt)
    if (acknowledgedAt === undefined) return
    item.acknowledged++
    item.acknowledgedAt = Math.min(item.acknowledgedAt ?? Infinity, acknowledgedAt)
  }

  addRemainder(remainder: PageRemainder): void {
    this.#remainders.push({ ...remainder, isFound: false })
  }

  /** @param records read once and not kept; those of a partition must be in the order of the partition */
  audit(records: Iterable<TopicRecord>): Verdict {
    const tallies = new Tallies()
    const wrong: string[] = []
    const order = new OrderCheck()
    for (const record of records) {
      const kind = kindOfTopic(this.#topics, record.topic)
      tallies.total[kind === 'deadLetter' ? 'deadLettered' : 'published']++
      // An owed remainder may contain the mark of a bad row, so that its exact bytes are compared first.
      if (kind === 'deadLetter' && this.#takeRemainder(record, tallies, { owedOnly: true })) continue
      const item = this.#itemOf(record, kind)
      if (!item) {
        if (kind === 'deadLetter' && this.#takeRemainder(record, tallies, { owedOnly: false })) continue
        wrong.push(`this record was never handed out: ${record.topic} ${format(record.value).slice(0, 300)}`)
        continue
      }
      const { source, content, kind: ownKind } = item.first
      if (kind !== ownKind) {
        wrong.push(`this item is on the topic ${record.topic}: ${source} ${content}`)
        continue
      }
      // A duplicate may be anywhere, so that only the first record of an item is compared with its neighbours.
      if (item.eventIds.length === 0) wrong.push(...order.check(record, item))
      item.eventIds.push(record.value['eventId'] as string)
      tallies.of(source, kind)[kind === 'deadLetter' ? 'deadLettered' : 'published']++
      wrong.push(...differences(record, item.first))
    }
    return this.#conclude(tallies, wrong)
  }

  #conclude(tallies: Tallies, wrong: string[]): Verdict {
    const lost: string[] = []
    const doubled: string[] = []
    const doubledUnderAnotherId: string[] = []
    const itemByEventId = new Map<string, string>()
    for (const [id, item] of this.#items) {
      const { source, kind, content, hasIdentity, isOnlyCopy = false } = item.first
      const owed = hasIdentity ? Math.min(1, item.acknowledged) : item.acknowledged
      const allowed = hasIdentity ? 1 : item.isEndless ? Infinity : item.handedOut
      const eventIds = new Set(item.eventIds)
      // Two records under one event id are one item that is doubled.
      const missing = Math.max(0, owed - eventIds.size)
      const surplus = item.eventIds.length - Math.min(allowed, eventIds.size)
      const handedOut = hasIdentity ? 1 : item.handedOut
      tallies.add(source, kind, {
        handedOut: item.handedOut,
        owed,
        lost: missing,
        doubled: surplus,
        gone: isOnlyCopy ? Math.max(0, handedOut - Math.max(owed, eventIds.size)) : 0,
      })
      const found = `found ${item.eventIds.length} times`
      if (missing > 0) lost.push(`${source} ${content} (owed ${owed} times, ${found})`)
      if (surplus > 0) doubled.push(`${source} ${content} (${found})`)
      if (eventIds.size > allowed) doubledUnderAnotherId.push(`${source} ${content} (${[...eventIds].join(' and ')})`)
      for (const eventId of eventIds) {
        const other = itemByEventId.get(eventId)
        if (other !== undefined) wrong.push(`the event id ${eventId} belongs to two items: ${id} and ${other}`)
        itemByEventId.set(eventId, id)
      }
    }
    for (const { source, bytes, isOwed, isFound } of this.#remainders) {
      const isLost = isOwed && !isFound
      tallies.add(source, 'deadLetter', { handedOut: 1, owed: isOwed ? 1 : 0, lost: isLost ? 1 : 0 })
      if (isLost) lost.push(`${source} the remainder of a page: ${bytes.toString().slice(0, 200)}`)
    }
    return { total: tallies.total, bySource: tallies.bySource, lost, doubled, doubledUnderAnotherId, wrong }
  }

  #itemOf({ value }: TopicRecord, kind: TopicKind | undefined): Item | undefined {
    const source = String(value['source'])
    if (kind !== 'deadLetter') {
      return this.#items.get(idOf(source, contentKey(value['raw'] as Record<string, string>)))
    }
    const request = Object.values(value['request'] as Record<string, string>)
    const mark = findBadInputMark([bodyOf(value).toString('utf8'), ...request].join(' '))
    return mark === undefined ? undefined : this.#items.get(idOf(source, mark))
  }

  /** Whether the record is an expected remainder of a page; each remainder is taken once. */
  #takeRemainder({ value }: TopicRecord, tallies: Tallies, { owedOnly }: { readonly owedOnly: boolean }): boolean {
    const body = withoutPageStart(bodyOf(value))
    const match = this.#remainders.find(({ bytes, isOwed, isFound, source }) => {
      if (isFound || source !== value['source'] || (owedOnly && !isOwed)) return false
      return isOwed ? bytes.equals(body) : bytes.subarray(0, body.length).equals(body)
    })
    if (!match) return false
    match.isFound = true
    tallies.of(match.source, 'deadLetter').deadLettered++
    return true
  }
}

/** Invariant 4: of two items with one key, the one that was acknowledged before the other began is in front of it. */
class OrderCheck {
  /** Of the items that were read so far, the one that began last, by partition, instance and key. */
  readonly #latest = new Map<string, { startedAt: number; content: string }>()

  check(record: TopicRecord, { first, startedAt, acknowledgedAt }: Item): string[] {
    if (first.kind === 'deadLetter') return []
    const { source, content, instance = '' } = first
    const sequence = [record.topic, record.partition, source, instance, record.key].join(' ')
    const before = this.#latest.get(sequence)
    if (!before || startedAt > before.startedAt) this.#latest.set(sequence, { startedAt, content })
    if (!before || acknowledgedAt === undefined || acknowledgedAt >= before.startedAt) return []
    return [`this item is behind ${before.content}, which arrived later: ${source} ${content}`]
  }
}

class Tallies {
  readonly total = emptyTally()
  readonly #bySource = new Map<string, Verdict['bySource'][number]>()

  get bySource(): Verdict['bySource'] {
    return [...this.#bySource.values()]
  }

  of(source: string, kind: TopicKind): Tally {
    const key = `${source} ${kind}`
    const tally = this.#bySource.get(key) ?? { source, kind, ...emptyTally() }
    this.#bySource.set(key, tally)
    return tally
  }

  add(source: string, kind: TopicKind, counts: Partial<Tally>): void {
    const tally = this.of(source, kind)
    for (const [name, count] of Object.entries(counts) as [keyof Tally, number][]) {
      tally[name] += count
      this.total[name] += count
    }
  }
}

const emptyTally = (): Tally => ({ handedOut: 0, owed: 0, published: 0, deadLettered: 0, gone: 0, lost: 0, doubled: 0 })

function differences(record: TopicRecord, { kind, expected, source, content }: HandedOutItem): string[] {
  const found: string[] = []
  const compare = (what: string, actual: unknown, wanted: unknown): void => {
    if (format(actual) === format(wanted)) return
    found.push(`${what} is ${format(actual).slice(0, 300)}, not ${format(wanted).slice(0, 300)}: ${source} ${content}`)
  }
  if (expected) {
    const { key, value } = expected()
    compare('the key', record.key, key)
    const { raw, ...fields } = value
    for (const [name, wanted] of Object.entries(fields)) compare(name, record.value[name], wanted)
    // Where `raw` is not determined exactly, its content is nevertheless right, because the item was found by it.
    if (raw !== undefined) compare('raw', sortEntries(record.value['raw']), sortEntries(raw))
  }
  compare('the list of headers', sortEntries(record.headers), sortEntries(expectedHeaders(record, kind)))
  return found
}

const PAGE_START = /^(?:\{"results":\[)?,?/

/** A part of a page without what is in front of its first row. */
export const withoutPageStart = (body: Buffer): Buffer =>
  body.subarray(PAGE_START.exec(body.toString('latin1'))![0].length)

const bodyOf = (value: TopicRecord['value']): Buffer => Buffer.from(value['body'] as Uint8Array)

const idOf = (source: string, content: string): string => `${source} ${content}`

const sortEntries = (fields: unknown): unknown => Object.entries(fields as Record<string, string>).sort()

const format = (value: unknown): string => JSON.stringify(value) ?? 'undefined'
