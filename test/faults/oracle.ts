/**
 * The oracle: what the connector owes, against what a `read_committed` consumer finds.
 *
 * An item is *owed* from the moment its callback was answered 200, or its page was followed by the next request. At the
 * end every owed item is on exactly one topic exactly once, with the content that contract and documents give it, and
 * nothing is there that was never handed out. What was handed out and not owed may be there once, or not at all.
 */
import { contentKey } from '../../dev/demo/ledger.js'
import { type Expected, headersFor } from '../support/expected.js'

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
  /** Left out for bad input: it is where it belongs if its bytes are. */
  readonly expected?: Expected
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
  readonly found: Found[]
}

export class Oracle {
  readonly #accounts = new Map<string, Account>()
  readonly #remnants: (Remnant & { claimed: boolean })[] = []

  handedOut(handing: Handing): void {
    const id = idOf(handing.source, handing.content)
    const account = this.#accounts.get(id)
    if (!account) {
      const { from, until, mayRepeat = false } = handing
      this.#accounts.set(id, { handing, handedOut: 1, from, until, mayRepeat, found: [] })
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

  /** @param markIn the mark of bad input in the bytes of a dead letter */
  audit(records: readonly Found[], markIn: (text: string) => string | undefined): Verdict {
    const wrong: string[] = []
    for (const record of records) {
      const account = this.#accountOf(record, markIn)
      if (account) account.found.push(record)
      else if (!this.#claim(record)) wrong.push(`nobody handed this out: ${record.topic} ${show(record.value)}`)
    }
    const lost: string[] = []
    const doubled: string[] = []
    const strangers: string[] = []
    const ids = new Map<string, string>()
    let owed = 0
    let gone = 0
    for (const [id, account] of this.#accounts) {
      const { found, until, handing } = account
      if (until !== undefined) owed++
      else if (handing.onlyCopy === true && found.length === 0) gone++
      if (until !== undefined && found.length === 0) lost.push(`${handing.source} ${handing.content}`)
      if (found.length > 1 && !account.mayRepeat)
        doubled.push(`${found.length} times: ${handing.source} ${handing.content}`)
      const eventIds = new Set(found.map(({ value }) => value['eventId'] as string))
      if (eventIds.size > 1 && !account.mayRepeat)
        strangers.push(`${[...eventIds].join(' and ')}: ${handing.source} ${handing.content}`)
      for (const eventId of eventIds) {
        const other = ids.get(eventId)
        if (other !== undefined) wrong.push(`one event id, ${eventId}, for ${id} and ${other}`)
        ids.set(eventId, id)
      }
      for (const record of found) wrong.push(...differences(record, handing))
    }
    for (const remnant of this.#remnants) {
      if (remnant.owed && !remnant.claimed)
        lost.push(`the rest of a cut page: ${remnant.bytes.toString().slice(0, 200)}`)
    }
    wrong.push(...this.#disorder(records, markIn))
    const deadLettered = records.filter(({ topic }) => topic === 'deadLetter').length
    const handedOut = [...this.#accounts.values()].reduce((sum, account) => sum + account.handedOut, 0)
    const published = records.length - deadLettered
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

  /** Invariant 4: of two items with one key, what was acknowledged before the other began stands before it. */
  #disorder(records: readonly Found[], markIn: (text: string) => string | undefined): string[] {
    const last = new Map<string, { from: number; content: string }>()
    const counted = new Set<Account>()
    const complaints: string[] = []
    for (const record of records) {
      const account = this.#accountOf(record, markIn)
      if (!account || record.topic === 'deadLetter') continue
      if (counted.has(account)) continue // a double stands where it stands
      counted.add(account)
      const { source, content, lane: arrivedAt = '' } = account.handing
      const lane = [record.topic, record.partition, source, arrivedAt, record.key].join(' ')
      const before = last.get(lane)
      if (before && account.until !== undefined && account.until < before.from)
        complaints.push(`behind ${before.content}, which came later: ${source} ${content}`)
      if (!before || account.from > before.from) last.set(lane, { from: account.from, content })
    }
    return complaints
  }
}

function differences(record: Found, { topic, expected, source, content }: Handing): string[] {
  if (record.topic !== topic) return [`on topic ${record.topic}: ${source} ${content}`]
  const wrong: string[] = []
  const differ = (what: string, is: unknown, should: unknown): void => {
    if (!same(is, should)) wrong.push(`${what} is ${show(is)}, not ${show(should)}: ${source} ${content}`)
  }
  if (expected) {
    differ('the key', record.key, expected.key)
    for (const [name, value] of Object.entries(expected.value)) {
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
