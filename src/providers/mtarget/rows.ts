/**
 * One item of Mtarget, whichever way it came: "the same returns" by push and by pull, says the provider.
 *
 * Attested by the provider: `Status`, and that 5 is an inbound message. The other names are second-hand, from two public
 * integrations; the misspelt `DestinationAdress` is Mtarget's. Where a name that these integrations also read stands
 * second in a list below, it counts only when the first is absent.
 */
import type { DeadLetterItem, DecodeSettings, Item, MessageItem, ReceiptItem } from '../provider.js'
import { dead } from '../wire/dead.js'
import {
  conflicting,
  indexed,
  joined,
  MAX_FIELDS_OF_AN_ITEM,
  rawOf,
  said,
  type Field,
  type FieldIndex,
} from '../wire/fields.js'
import { phoneNumber } from '../wire/numbers.js'
import { instant } from '../wire/times.js'
import { deliveryStatus, INBOUND } from './statuses.js'

/** The `ticket` that sending returned. One covers every recipient of a call. */
const MESSAGE_ID = ['MsgId', 'ticket'] as const
const RECIPIENT = ['DestinationAdress', 'DestinationAddress', 'msisdn'] as const
/** `msisdn` is left out: on an inbound message it could as well be the handset. */
const INBOUND_RECIPIENT = ['DestinationAdress', 'DestinationAddress'] as const
const SENDER = ['OriginatedAddress'] as const
const STATUS_TEXT = ['StatusText', 'Reason', 'reason'] as const
const ERROR_CODE = ['RSN', 'code'] as const
const TIME = ['DeliveryDateTime'] as const

const DECISIVE: ReadonlySet<string> = new Set([
  ...['Status', ...MESSAGE_ID, ...RECIPIENT, ...SENDER],
  ...[...STATUS_TEXT, ...ERROR_CODE, ...TIME],
])

/** Whether any field of an item is here: what tells a report that lacks something from something else altogether. */
export const isReport = (fields: readonly Field[]): boolean => fields.some(({ name }) => DECISIVE.has(name))

/** Mtarget writes "null" for what it does not have (the error sample of its pulling page). */
const value = (field: Field | undefined): string | undefined => {
  const text = said(field)
  return text === 'null' ? undefined : text
}

const first = (fields: FieldIndex, names: readonly string[]): string | undefined => {
  for (const name of names) {
    const text = value(fields.get(name))
    if (text !== undefined) return text
  }
  return undefined
}

/** `3`, `"3"`, `" 3"` and `3.0` are one code. */
const statusCode = (field: Field | undefined): string | undefined => {
  const text = value(field)
  return text !== undefined && field?.type === 'number' ? String(Number(text)) : text
}

/** What tells an item whose `Status` says nothing from an account error that has one. */
const OF_AN_ITEM = new Set<string>([...MESSAGE_ID, ...RECIPIENT, ...SENDER])

/**
 * What an account-error row says; undefined when the row is none. It has no `Status`, and a `code` other than "0". The
 * number is not looked at: the provider pairs -12 with "invalid credential", others with "invalid parameter".
 */
export const accountError = (fields: readonly Field[]): string | undefined => {
  const has = (name: string): string | undefined => value(fields.find((field) => field.name === name))
  if (has('Status') !== undefined) return undefined
  // An item from which the status is missing is an item all the same: it ends as a dead letter, not as nothing.
  if (fields.some(isStatusField) && fields.some((field) => OF_AN_ITEM.has(field.name) && value(field) !== undefined)) {
    return undefined
  }
  const code = has('code')
  if (code === undefined || code === '0') return undefined
  return `${has('reason') ?? has('Reason') ?? 'no reason given'} (code ${code})`
}

/** Under any type: a nested one is `Status[…]`. */
const isStatusField = ({ name }: Field): boolean => name === 'Status' || name.startsWith('Status[')

/** What one item is read from. */
export interface Row {
  readonly fields: readonly Field[]
  /** More that was sent with it, and says nothing about it: for `raw` only. */
  readonly also: readonly Field[]
  /** The bytes of the item. */
  readonly body: Uint8Array
}

export const isDecisive = (name: string): boolean => DECISIVE.has(name)

export const readRow = (row: Row, settings: DecodeSettings): Item => {
  const { fields, body } = row
  if (fields.length + row.also.length > MAX_FIELDS_OF_AN_ITEM) {
    return dead('too-complex', `the item has ${fields.length} fields; replay it if it should be read`, body)
  }
  const index = indexed(fields)
  const twice = index.size === fields.length ? undefined : conflicting(fields, DECISIVE)
  if (twice !== undefined) {
    return dead('conflicting-fields', `${twice} was sent more than once with different values; which counts?`, body)
  }
  const status = index.get('Status')
  const code = statusCode(status)
  if (status === undefined || code === undefined) {
    return dead('missing-status', 'there is no Status, which tells receipts from inbound messages', body)
  }
  return code === INBOUND ? readMessage(row, index, settings) : readReceipt(row, index, status, code)
}

const readReceipt = (row: Row, index: FieldIndex, status: Field, code: string): ReceiptItem | DeadLetterItem => {
  const { body } = row
  const messageId = first(index, MESSAGE_ID)
  if (messageId === undefined) {
    return dead(
      'missing-id',
      `a receipt (Status ${code}) without MsgId: which message it is about can't be known`,
      body,
    )
  }
  const sentTo = first(index, RECIPIENT)
  const recipient = sentTo === undefined ? null : phoneNumber(sentTo)
  const sentBy = first(index, SENDER)
  const time = first(index, TIME)
  return {
    kind: 'dlr',
    messageId,
    recipient,
    sender: sentBy === undefined ? null : phoneNumber(sentBy),
    status: deliveryStatus(code),
    providerStatus: status.value,
    providerStatusText: first(index, STATUS_TEXT) ?? null,
    errorCode: first(index, ERROR_CODE) ?? null,
    // Format and zone of DeliveryDateTime are not known: only what leaves no doubt is read.
    occurredAt: instant(time),
    raw: rawOf(joined(row.fields, row.also)),
    identity: recipient === null ? null : [messageId, recipient, code, ...(time === undefined ? [] : [time])],
    body,
  }
}

const readMessage = (row: Row, index: FieldIndex, settings: DecodeSettings): MessageItem | DeadLetterItem => {
  const { body } = row
  const sender = first(index, SENDER)
  if (sender === undefined) {
    return dead('missing-sender', 'an inbound message (Status 5) without OriginatedAddress', body)
  }
  const text = messageText(row.fields, index, settings.textFields)
  if (typeof text !== 'string') {
    return text === undefined
      ? dead('missing-text', `an inbound message with none of ${settings.textFields.join(', ')}; see textFields`, body)
      : dead('conflicting-fields', `${text.twice} was sent more than once with different values; which counts?`, body)
  }
  const recipient = first(index, INBOUND_RECIPIENT)
  return {
    kind: 'mo',
    // It may be the id of this message or of the one that it answers. Which, is not documented and can't be seen in
    // the row: it stays the id that the provider gives this item, and `inReplyTo` claims nothing (invariant 6).
    messageId: first(index, MESSAGE_ID) ?? null,
    sender: phoneNumber(sender),
    recipient: recipient === undefined ? null : phoneNumber(recipient),
    text,
    keyword: null,
    inReplyTo: null,
    occurredAt: instant(first(index, TIME)),
    raw: rawOf(joined(row.fields, row.also)),
    identity: null,
    body,
  }
}

/**
 * The first text field that is present; an empty text is a text. "null" is how Mtarget writes what it does not have,
 * and also something a handset may write: it counts when no other text field is present.
 */
const messageText = (
  fields: readonly Field[],
  index: FieldIndex,
  names: readonly string[],
): string | { readonly twice: string } | undefined => {
  let saidNull: string | undefined
  for (const name of names) {
    const field = index.get(name)
    if (field === undefined || field.type === 'null' || field.type === 'empty') continue
    if (conflicting(fields, new Set([name])) !== undefined) return { twice: name }
    if (field.value !== 'null') return field.value
    saidNull ??= field.value
  }
  return saidNull
}
