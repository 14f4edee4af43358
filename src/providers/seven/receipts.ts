/**
 * Reads seven's receipts: one from the fields of a webhook, a row or a line, or many from the fields of a cumulated
 * report.
 *
 * Where the fields come from: `msg_id`, `status`, `timestamp` and `webhook_timestamp` are attested (docs.seven.io
 * webhooks, and the page on delivery reports for the legacy status URL); `price`, `mccmnc` and `foreign_id` are attested
 * in the message log (docs.seven.io logbook). Seen in seven's own plugin: `foreign_id` in a webhook (seven-io/playSMS). Not
 * attested: `price` and `mccmnc` in a webhook; a currency, or the number of SMS, anywhere. The form of cumulated reports is
 * not published.
 */
import type { Price } from '../../core/event.js'
import type { DeadLetterItem, Item, ReceiptItem } from '../provider.js'
import { deadLetter, sharedFieldsDeadLetter, tooManyFieldsDeadLetter } from '../wire/dead-letter.js'
import {
  areTooLargeToShare,
  concatFields,
  exactValue,
  findField,
  firstPresent,
  MAX_FIELDS_PER_ITEM,
  presentValue,
  toRaw,
  unambiguousValue,
  type Field,
} from '../wire/fields.js'
import { parseNetwork, parsePrice } from '../wire/numbers.js'
import { normalizePhoneNumber } from '../wire/phone-numbers.js'
import { parseInstantIn } from '../wire/times.js'
import { groupFields, type FieldGroup, type FieldsByLeaf } from './field-groups.js'
import { canonicalStatus, deliveryStatus } from './statuses.js'

/**
 * The time zone of dates without a zone. Inferred from a pair of samples in seven's own document: "2021-08-24
 * 08:08:00.000000" beside "2021-08-24T08:08:00+02:00".
 */
export const TIME_ZONE = 'Europe/Berlin'

/** What a receipt may have beside the state of the message. */
export interface ReceiptAdditions {
  readonly clientReference: string | null
  readonly network: string | null
  readonly price: Price | null
}

const ADDITION_LEAVES = ['foreign_id', 'mccmnc', 'price'] as const

/** @param fieldsNamed returns the fields of that name, or of that leaf */
export const readAdditions = (
  fieldsNamed: (name: (typeof ADDITION_LEAVES)[number]) => readonly Field[],
): ReceiptAdditions => ({
  clientReference: unambiguousValue(fieldsNamed('foreign_id')) ?? null,
  network: parseNetwork(unambiguousValue(fieldsNamed('mccmnc'))),
  // seven names no currency.
  price: parsePrice(unambiguousValue(fieldsNamed('price')), null),
})

/** The fields of one receipt. Each way of delivery has its own names for them. */
export interface ReceiptFields {
  readonly id: Field | undefined
  readonly status: Field | undefined
  /**
   * The time of the status. For a webhook without one, its `webhook_timestamp`: in seven's samples both are the same
   * instant.
   */
  readonly time?: Field | undefined
  readonly to?: Field | undefined
  readonly from?: Field | undefined
  readonly additions?: ReceiptAdditions
  /** Every field that was sent with the receipt. */
  readonly all: readonly Field[]
}

export const readPhoneNumber = (field: Field | undefined): string | null => {
  const sent = presentValue(field)
  return sent === undefined ? null : normalizePhoneNumber(sent)
}

const MISSING_ID = 'the receipt has no msg_id, so it is not known which message it is about'

export const readReceipt = (fields: ReceiptFields, body: Uint8Array): ReceiptItem | DeadLetterItem => {
  const messageId = presentValue(fields.id)
  const status = presentValue(fields.status)
  if (messageId === undefined) return deadLetter('missing-id', MISSING_ID, body)
  if (fields.status === undefined || status === undefined) {
    return deadLetter('missing-status', `the receipt for message ${messageId} has no status`, body)
  }
  if (fields.all.length > MAX_FIELDS_PER_ITEM) return tooManyFieldsDeadLetter(fields.all.length, body)
  const canonical = canonicalStatus(status)
  return {
    kind: 'dlr',
    messageId,
    recipient: readPhoneNumber(fields.to),
    sender: readPhoneNumber(fields.from),
    status: deliveryStatus(canonical),
    providerStatus: fields.status.value,
    providerStatusText: null,
    errorCode: null,
    occurredAt: parseInstantIn(TIME_ZONE, presentValue(fields.time)),
    raw: toRaw(fields.all),
    clientReference: fields.additions?.clientReference ?? null,
    network: fields.additions?.network ?? null,
    segments: null,
    price: fields.additions?.price ?? null,
    part: null,
    // Without the time, because callback, webhook and query give different times for the same receipt.
    identity: [exactValue(fields.id) ?? messageId, canonicalStatus(exactValue(fields.status) ?? status)],
    body,
  }
}

/** Characters that separate several ids or statuses, whatever the form. */
const ID_SEPARATORS = /[\s\p{Cc},;|&=]/u
const STATUS_SEPARATORS = /[\p{Cc},;|&=]/u

/** Invariant 6: decoding never guesses. `1001,1002` may be two messages, and `DELIVERED,FAILED` is not a status. */
const readUnambiguousReceipt = (fields: ReceiptFields, body: Uint8Array): ReceiptItem | DeadLetterItem => {
  const id = presentValue(fields.id)
  const status = presentValue(fields.status)
  const isAmbiguous =
    (id !== undefined && ID_SEPARATORS.test(id)) || (status !== undefined && STATUS_SEPARATORS.test(status))
  if (!isAmbiguous) return readReceipt(fields, body)
  const found = `msg_id ${JSON.stringify(id?.slice(0, 100))}, status ${JSON.stringify(status?.slice(0, 100))}`
  return deadLetter('ambiguous-report', `${found}: each may be a list of several, in an unknown form`, body)
}

/**
 * Reads the receipts in a set of fields: usually one, and many in a cumulated report.
 *
 * @param rawOnly other fields that were sent with them
 */
export const readReceipts = (fields: readonly Field[], rawOnly: readonly Field[], body: Uint8Array): Item[] => {
  if (isSingleReceipt(fields)) {
    const all = concatFields(fields, rawOnly)
    const time = firstPresent(findField(fields, 'timestamp'), findField(fields, 'webhook_timestamp'))
    const additions = readAdditions((name) => all.filter((field) => field.name === name))
    const receipt = { id: findField(fields, 'msg_id'), status: findField(fields, 'status'), time, additions, all }
    return [readUnambiguousReceipt(receipt, body)]
  }
  const grouped = groupFields(
    fields,
    (leaves) => leaves.has('msg_id'),
    (leaves) => leaves.has('msg_id') || leaves.has('status'),
  )
  const shared = [...grouped.shared, ...rawOnly]
  const idCount = grouped.groups.reduce((sum, group) => sum + Math.max(1, countLeaf(group, 'msg_id')), 0)
  if (areTooLargeToShare(shared, idCount)) return [sharedFieldsDeadLetter(idCount, body)]
  const receipts: Item[] = []
  const failures: DeadLetterItem[] = []
  let reportCount = 0
  for (const group of grouped.groups) {
    const reports = pairFields(group)
    reportCount += reports?.length ?? 1
    if (reports === undefined) failures.push(deadLetter('unequal-counts', describeCounts(group), body))
    for (const report of reports ?? []) {
      const item = readReport(report, shared, body)
      if (item.kind === 'dead-letter') failures.push(item)
      else receipts.push(item)
    }
  }
  if (reportCount === 0) failures.push(deadLetter('missing-id', MISSING_ID, body))
  return [...receipts, ...mergeByReason(failures, reportCount)]
}

/**
 * Whether there is at most one id and one status, and no name has brackets. This is the hot path: it needs no grouping.
 */
const isSingleReceipt = (fields: readonly Field[]): boolean => {
  let ids = 0
  let statuses = 0
  for (const { name } of fields) {
    if (name === 'msg_id') ids++
    else if (name === 'status') statuses++
    else if (name.includes('[')) return false
  }
  return ids <= 1 && statuses <= 1
}

const countLeaf = ({ fieldsByLeaf }: FieldGroup, leaf: string): number => fieldsByLeaf.get(leaf)?.length ?? 0

/** What was sent once with several receipts is not the time, the reference or the price of each of them. */
const OWN_LEAVES: ReadonlySet<string> = new Set(['timestamp', ...ADDITION_LEAVES])

/**
 * Divides a group that has several ids into one report for each id.
 *
 * @returns undefined if ids and statuses can't be paired, because one occurs more often than the other (invariant 6)
 */
const pairFields = (group: FieldGroup): FieldsByLeaf[] | undefined => {
  const { fieldsByLeaf } = group
  const count = countLeaf(group, 'msg_id')
  const statusCount = countLeaf(group, 'status')
  if (count <= 1 && statusCount <= 1) return [fieldsByLeaf]
  if (count !== statusCount) return undefined
  const canBePaired = [...fieldsByLeaf.values()].every(({ length }) => length === count || length === 1)
  if (!canBePaired) return undefined
  return Array.from({ length: count }, (_, i) => {
    const report = new Map<string, readonly Field[]>()
    for (const [leaf, fields] of fieldsByLeaf) {
      if (fields.length === count) report.set(leaf, [fields[i] as Field])
      else report.set(OWN_LEAVES.has(leaf) ? `${leaf} of all` : leaf, fields)
    }
    return report
  })
}

const describeCounts = ({ key, fieldsByLeaf }: FieldGroup): string => {
  const counts = Array.from(fieldsByLeaf, ([leaf, { length }]) => `${length} × ${leaf}`).join(', ')
  return `${key === '' ? 'the request' : key} has ${counts}, so it is not known which of them belong together`
}

const readReport = (report: FieldsByLeaf, shared: readonly Field[], body: Uint8Array): ReceiptItem | DeadLetterItem => {
  const field = (leaf: string): Field | undefined => report.get(leaf)?.[0]
  const time = firstPresent(field('timestamp'), field('webhook_timestamp'), findField(shared, 'webhook_timestamp'))
  const all = [...[...report.values()].flat(), ...shared]
  const additions = readAdditions((leaf) => report.get(leaf) ?? [])
  return readUnambiguousReceipt({ id: field('msg_id'), status: field('status'), time, additions, all }, body)
}

/**
 * Keeps one dead letter for each reason. The bytes of one report can't be told apart in a form, so each dead letter
 * carries the whole body.
 */
const mergeByReason = (failures: readonly DeadLetterItem[], reportCount: number): DeadLetterItem[] => {
  if (reportCount <= 1) return [...failures]
  const byReason = new Map<string, { count: number; readonly first: DeadLetterItem }>()
  for (const failure of failures) {
    const known = byReason.get(failure.reason)
    if (known) known.count++
    else byReason.set(failure.reason, { count: 1, first: failure })
  }
  return Array.from(byReason.values(), ({ count, first }) => ({
    ...first,
    detail: `${count} of ${reportCount} reports in this request can't be read; the first: ${first.detail}`,
  }))
}
