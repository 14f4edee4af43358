/** Receipts in a set of fields: usually one, and in a cumulated report many. */
import type { Item } from '../provider.js'
import { dead, type DeadReason, tooMuch } from '../wire/dead.js'
import { find, firstSaid, joined, said, tooMuchShared, type Field } from '../wire/fields.js'
import { group, type Group } from './groups.js'
import { readReceipt, type ReceiptFields } from './receipt.js'

/** In an id: what separates several, in any form that was thought of. */
const SEVERAL_IDS = /[\s\p{Cc},;|&=]/u
const SEVERAL_STATUSES = /[\p{Cc},;|&=]/u

/**
 * @param fields those of the reports
 * @param also more fields that were sent with them
 */
export const readReports = (fields: readonly Field[], also: readonly Field[], body: Uint8Array): Item[] => {
  if (isFlat(fields)) {
    const all = joined(fields, also)
    const time = firstSaid(find(fields, 'timestamp'), find(fields, 'webhook_timestamp'))
    return [readOne({ id: find(fields, 'msg_id'), status: find(fields, 'status'), time, all }, body)]
  }
  const { groups, shared } = group(
    fields,
    (leaves) => leaves.has('msg_id'),
    (leaves) => leaves.has('msg_id') || leaves.has('status'),
  )
  const common = [...shared, ...also]
  const count = groups.reduce((sum, { leaves }) => sum + Math.max(1, leaves.get('msg_id')?.length ?? 0), 0)
  if (tooMuchShared(count, common)) return [tooMuch(count, body)]
  const failures = new Failures(body)
  const items: Item[] = []
  let reports = 0
  for (const each of groups) {
    const rows = columns(each)
    reports += rows?.length ?? 1
    if (rows === undefined) failures.add('unequal-counts', unequal(each))
    else for (const row of rows) collect(readRow(row, common, body), items, failures)
  }
  if (reports === 0) failures.add('missing-id', 'a receipt without msg_id: which message it is about can not be known')
  return [...items, ...failures.items(reports)]
}

/** The hot path: every name at most once, none with brackets. */
const isFlat = (fields: readonly Field[]): boolean => {
  let ids = 0
  let statuses = 0
  for (const { name } of fields) {
    if (name === 'msg_id') ids++
    else if (name === 'status') statuses++
    else if (name.includes('[')) return false
  }
  return ids <= 1 && statuses <= 1
}

type Row = ReadonlyMap<string, readonly Field[]>

/** One row for each `msg_id`; undefined when ids and statuses do not pair up, which is never guessed (invariant 6). */
const columns = ({ leaves }: Group): Row[] | undefined => {
  const count = leaves.get('msg_id')?.length ?? 0
  const statuses = leaves.get('status')?.length ?? 0
  if (count <= 1 && statuses <= 1) return [leaves]
  if (count !== statuses) return undefined
  const once = [...leaves.values()].filter((list) => list.length !== count)
  if (once.some((list) => list.length !== 1)) return undefined
  return Array.from({ length: count }, (_, i) => {
    const row = new Map<string, readonly Field[]>()
    for (const [leaf, list] of leaves) {
      // A time that was sent once is not that of each report.
      if (list.length === count) row.set(leaf, [list[i] as Field])
      else row.set(leaf === 'timestamp' ? 'timestamp of all' : leaf, list)
    }
    return row
  })
}

const unequal = ({ key, leaves }: Group): string =>
  `${key === '' ? 'the request' : key} has ${[...leaves].map(([leaf, list]) => `${list.length} × ${leaf}`).join(', ')}: ` +
  'which belong together can not be known'

const readRow = (row: Row, common: readonly Field[], body: Uint8Array): Item => {
  const one = (leaf: string): Field | undefined => row.get(leaf)?.[0]
  const time = firstSaid(one('timestamp'), one('webhook_timestamp'), find(common, 'webhook_timestamp'))
  const all = [...[...row.values()].flat(), ...common]
  return readOne({ id: one('msg_id'), status: one('status'), time, all }, body)
}

/** Nothing is guessed (invariant 6): `1001,1002` may be two messages, and `DELIVERED,FAILED` is no status. */
const readOne = (fields: ReceiptFields, body: Uint8Array): Item => {
  const id = said(fields.id)
  const status = said(fields.status)
  if ((id !== undefined && SEVERAL_IDS.test(id)) || (status !== undefined && SEVERAL_STATUSES.test(status))) {
    const found = `msg_id ${JSON.stringify(id?.slice(0, 100))}, status ${JSON.stringify(status?.slice(0, 100))}`
    return dead('ambiguous-report', `${found}: these look like several, in a form that is not known`, body)
  }
  return readReceipt(fields, body)
}

const collect = (item: Item, items: Item[], failures: Failures): void => {
  if (item.kind === 'dead-letter') failures.add(item.reason as DeadReason, item.detail)
  else items.push(item)
}

/**
 * One dead letter a reason, however many reports fail for it: their bytes can't be told apart in a form, so each would
 * carry the whole body.
 */
class Failures {
  readonly #body: Uint8Array
  readonly #counts = new Map<DeadReason, { count: number; readonly first: string }>()

  constructor(body: Uint8Array) {
    this.#body = body
  }

  add(reason: DeadReason, detail: string): void {
    const known = this.#counts.get(reason)
    if (known) known.count++
    else this.#counts.set(reason, { count: 1, first: detail })
  }

  items(reports: number): Item[] {
    return [...this.#counts].map(([reason, { count, first }]) =>
      dead(
        reason,
        reports > 1 ? `${count} of ${reports} reports in this request; the first: ${first}` : first,
        this.#body,
      ),
    )
  }
}
