/**
 * The oracle: what the connector owes, against what a `read_committed` consumer finds.
 *
 * An item is *owed* from the moment its callback was answered 200, or its page was followed by the next request. At the
 * end every owed item is on exactly one topic exactly once, with the content that contract and documents give it, and
 * nothing is there that was never handed out. What was handed out and not owed may be there once, or not at all.
 */
import { contentKey } from '../demo/ledger.js'
import { type Expected, headersFor } from './expected-records.js'

export type Topic = 'dlr' | 'mo' | 'deadLetter'

/** A record as it was found, in the order of its partition. */
export interface Found {
  readonly topic: Topic
  readonly partition: number
  readonly key: string
  readonly headers: Readonly<Record<string, string>>
  readonly value: Record<string, unknown>
}

/** One time that an item was handed out. */
export interface Handing {
  readonly source: string
  readonly topic: Topic
  /** What the item is known by: see `contentKey`; of bad input a mark in its bytes. */
  readonly content: string
  /** Left out for bad input: it is where it belongs if its bytes are. Made when it is needed: there may be a million. */
  readonly expected?: () => Expected
  /** When it began and when it was acknowledged, by any one clock for each source. Not acknowledged: not owed. */
  readonly from: number
  readonly until: number | undefined
  /** Where it arrived, if there are several such places: order is kept in each. */
  readonly lane?: string
  /** The provider has forgotten it: not acknowledged and not found, it is gone. */
  readonly onlyCopy?: boolean
  /** The provider sent it over and over, and nothing says that it is one: then as often as it likes. */
  readonly mayRepeat?: boolean
}

/** What a cut answer left behind its last whole row: a dead letter of it is expected. */
export interface Remnant {
  readonly bytes: Buffer
  /** Then it must be there, all of it. Else it may, and any part of it. */
  readonly owed: boolean
}

export interface Verdict {
  readonly handedOut: number
  readonly owed: number
  readonly published: number
  readonly deadLettered: number
  /** The window that nobody can close: items of a destructive queue that were on the wire, neither owed nor found. */
  readonly gone: number
  readonly lost: readonly string[]
  /** Beyond the first, of items that may come once. */
  readonly doubled: readonly string[]
  /** Doubles whose event ids differ: never allowed. */
  readonly strangers: readonly string[]
  /** Content, keys, headers, order, topics: a sentence each. */
  readonly wrong: readonly string[]
}

interface Account {
  readonly handing: Handing
  handedOut: number
  from: number
  until: number | undefined
  mayRepeat: boolean
  /** Of each record that was found of it. */
  readonly eventIds: string[]
}

export class Oracle {
  readonly #accounts = new Map<string, Account>()
  readonly #remnants: (Remnant & { claimed: boolean })[] = []

  handedOut(handing: Handing): void {
    const id = idOf(handing.source, handing.content)
    const account = this.#accounts.get(id)
    if (!account) {
      const { from, until, mayRepeat = false } = handing
      this.#accounts.set(id, { handing, handedOut: 1, from, until, mayRepeat, eventIds: [] })
      return
    }
    account.handedOut++
    account.mayRepeat ||= handing.mayRepeat ?? false
    account.from = Math.min(account.from, handing.from)
    if (handing.until !== undefined) account.until = Math.min(account.until ?? Infinity, handing.until)
  }

  cut(remnant: Remnant): void {
    this.#remnants.push({ ...remnant, claimed: false })
  }

  /**
   * @param records looked at once and not kept: those of a long run are more than fit in memory
   * @param markIn the mark of bad input in the bytes of a dead letter
   */
  audit(records: Iterable<Found>, markIn: (text: string) => string | undefined): Verdict {
    const wrong: string[] = []
    const order = new Order()
    let published = 0
    let deadLettered = 0
    for (const record of records) {
      if (record.topic === 'deadLetter') deadLettered++
      else published++
      const account = this.#accountOf(record, markIn)
      if (!account) {
        if (!this.#claim(record)) wrong.push(`nobody handed this out: ${record.topic} ${show(record.value)}`)
        continue
      }
      // A double stands where it stands.
      if (account.eventIds.length === 0) wrong.push(...order.complaints(record, account))
      account.eventIds.push(record.value['eventId'] as string)
      wrong.push(...differences(record, account.handing))
    }
    const lost: string[] = []
    const doubled: string[] = []
    const strangers: string[] = []
    const ids = new Map<string, string>()
    let owed = 0
    let gone = 0
    let handedOut = 0
    for (const [id, account] of this.#accounts) {
      const { eventIds, until, handing, mayRepeat } = account
      const times = eventIds.length
      handedOut += account.handedOut
      if (until !== undefined) owed++
      else if (handing.onlyCopy === true && times === 0) gone++
      if (until !== undefined && times === 0) lost.push(`${handing.source} ${handing.content}`)
      if (times > 1 && !mayRepeat) doubled.push(`${times} times: ${handing.source} ${handing.content}`)
      const different = new Set(eventIds)
      if (different.size > 1 && !mayRepeat)
        strangers.push(`${[...different].join(' and ')}: ${handing.source} ${handing.content}`)
      for (const eventId of different) {
        const other = ids.get(eventId)
        if (other !== undefined) wrong.push(`one event id, ${eventId}, for ${id} and ${other}`)
        ids.set(eventId, id)
      }
    }
    for (const remnant of this.#remnants) {
      if (remnant.owed && !remnant.claimed)
        lost.push(`the rest of a cut page: ${remnant.bytes.toString().slice(0, 200)}`)
    }
    return { handedOut, owed, published, deadLettered, gone, lost, doubled, strangers, wrong }
  }

  #accountOf(record: Found, markIn: (text: string) => string | undefined): Account | undefined {
    const source = String(record.value['source'])
    if (record.topic !== 'deadLetter') {
      return this.#accounts.get(idOf(source, contentKey(record.value['raw'] as Record<string, string>)))
    }
    const request = Object.values(record.value['request'] as Record<string, string>)
    const mark = markIn([bodyOf(record).toString('utf8'), ...request].join(' '))
    return mark === undefined ? undefined : this.#accounts.get(idOf(source, mark))
  }

  #claim(record: Found): boolean {
    if (record.topic !== 'deadLetter') return false
    const body = withoutHead(bodyOf(record))
    const open = this.#remnants.filter(({ claimed }) => !claimed)
    const match =
      open.find(({ bytes }) => bytes.equals(body)) ??
      open.find(({ bytes, owed }) => !owed && bytes.subarray(0, body.length).equals(body))
    if (match) match.claimed = true
    return match !== undefined
  }
}

/** Invariant 4: of two items with one key, what was acknowledged before the other began stands before it. */
class Order {
  /** The latest to begin of those that were seen, by partition, lane and key. */
  readonly #last = new Map<string, { from: number; content: string }>()

  /** Records of a partition are to come as they stand there. */
  complaints(record: Found, { handing, from, until }: Account): string[] {
    if (record.topic === 'deadLetter') return []
    const { source, content, lane: arrivedAt = '' } = handing
    const lane = [record.topic, record.partition, source, arrivedAt, record.key].join(' ')
    const before = this.#last.get(lane)
    if (!before || from > before.from) this.#last.set(lane, { from, content })
    if (!before || until === undefined || until >= before.from) return []
    return [`behind ${before.content}, which came later: ${source} ${content}`]
  }
}

function differences(record: Found, { topic, expected, source, content }: Handing): string[] {
  if (record.topic !== topic) return [`on topic ${record.topic}: ${source} ${content}`]
  const wrong: string[] = []
  const differ = (what: string, is: unknown, should: unknown): void => {
    if (!same(is, should)) wrong.push(`${what} is ${show(is)}, not ${show(should)}: ${source} ${content}`)
  }
  if (expected) {
    const { key, value: fields } = expected()
    differ('the key', record.key, key)
    for (const [name, value] of Object.entries(fields)) {
      // Found by what is in `raw`; only the envelope can be more.
      if (name !== 'raw') differ(name, record.value[name], value)
    }
  }
  const part = topic === 'deadLetter' && Number(record.value['part'] ?? 0) > 0
  if (!part) {
    for (const [name, value] of Object.entries(headersFor(record, topic))) differ(name, record.headers[name], value)
  }
  return wrong
}

const HEAD = /^(?:\{"results":\[)?,?/

/** A cut page without what stands in front of the row that was cut. */
export const withoutHead = (body: Buffer): Buffer => body.subarray(HEAD.exec(body.toString('latin1'))![0].length)

const bodyOf = ({ value }: Found): Buffer => Buffer.from(value['body'] as Uint8Array)

const idOf = (source: string, content: string): string => `${source} ${content}`

const same = (one: unknown, other: unknown): boolean => JSON.stringify(one) === JSON.stringify(other)

const show = (value: unknown): string => (JSON.stringify(value) ?? 'undefined').slice(0, 300)
