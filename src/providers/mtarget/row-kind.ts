/**
 * Decides what a row of Mtarget is: a receipt, an inbound message, or an error of the account. This is the only place that
 * decides it, for pushes of any form and for answers of the queue.
 *
 * - A row with a `Status` is what its `Status` says: 5 is an inbound message, anything else a receipt. Attested:
 *   https://developers.mtarget.fr/api-pulling.
 * - A row without `Status` that has `Msisdn` and a text is an inbound message. Second-hand: the gateway courier, which has
 *   carried Mtarget's traffic since 2018, receives messages so, at an address of their own.
 * - A row without `Status` and with another `code` than "0" is an error of the account. Attested: the same page, by an
 *   example in which every value is a string, and an absent one is the text `null`. It is never one if it has a field
 *   that only inbound messages have, because an error is reported and dropped, and a message must not be.
 *
 * Any other row could be either, and becomes a dead letter (invariant 6).
 */
import type { DecodeSettings } from '../provider.js'
import type { DeadLetterReason } from '../wire/dead-letter.js'
import { findField, presentValue, type Field, type FieldsByName } from '../wire/fields.js'
import { INBOUND_MESSAGE_STATUS } from './statuses.js'

/** The handset of an inbound message. Receipts and account errors have `msisdn`, in lower case. */
export const HANDSET = 'Msisdn'
export const KEYWORD = 'Keyword'

// Of each of these lists, the first field that is present counts.
/** The id that Mtarget returned when the message was sent. All recipients of one request have the same id. */
export const MESSAGE_ID = ['MsgId', 'ticket'] as const
export const RECIPIENT = ['DestinationAdress', 'DestinationAddress', 'msisdn'] as const
export const SENDER = ['OriginatedAddress'] as const
export const STATUS_TEXT = ['StatusText', 'Reason', 'reason'] as const
export const ERROR_CODE = ['RSN', 'code'] as const
export const TIME = ['DeliveryDateTime'] as const
/** A JSON object named `msglong` is not attested. Its fields can't be anything else. */
export const PART_REFERENCE = ['msglong.id', 'msglong[id]'] as const
export const PART_TOTAL = ['msglong.msgcount', 'msglong[msgcount]'] as const
export const PART_NUMBER = ['msglong.msgref', 'msglong[msgref]'] as const

/** The fields that decide what an item means. The others add to it, or only go into `raw`. */
export const INTERPRETED_FIELDS: ReadonlySet<string> = new Set([
  ...['Status', HANDSET, ...MESSAGE_ID, ...RECIPIENT, ...SENDER],
  ...[...STATUS_TEXT, ...ERROR_CODE, ...TIME],
])

/** With the fields of the text, which may not come in a query with another value than in the body. */
export const interpretedFields = ({ textFields }: DecodeSettings): ReadonlySet<string> =>
  new Set([...INTERPRETED_FIELDS, ...textFields])

/** The fields that only inbound messages have. */
const MESSAGE_FIELDS: ReadonlySet<string> = new Set([
  HANDSET,
  KEYWORD,
  ...PART_REFERENCE,
  ...PART_TOTAL,
  ...PART_NUMBER,
])

/** The fields that an item has and an account error has not. */
const ITEM_FIELDS: ReadonlySet<string> = new Set([...MESSAGE_ID, ...RECIPIENT, ...SENDER])

/** Whether there is any field of an item. If not, the fields are something else, not an item that lacks something. */
export const hasItemField = (fields: readonly Field[]): boolean =>
  fields.some(({ name }) => INTERPRETED_FIELDS.has(name) || MESSAGE_FIELDS.has(name))

/** Mtarget sends the text `null` for an absent value (attested: the error sample of its page about pulling). */
export const readValue = (field: Field | undefined): string | undefined => {
  const text = presentValue(field)
  return text === 'null' ? undefined : text
}

/** Reads `3`, `"3"`, `" 3"` and `3.0` as the same code. */
const readStatusCode = (field: Field | undefined): string | undefined => {
  const value = readValue(field)
  return value !== undefined && field?.type === 'number' ? String(Number(value)) : value
}

export type RowKind =
  /** `code`: the value of `status` in the form of Mtarget's list of codes. */
  | { readonly kind: 'receipt'; readonly status: Field; readonly code: string }
  | { readonly kind: 'message' }
  | { readonly kind: 'unknown'; readonly reason: DeadLetterReason; readonly detail: string }

/** @param textFields the names of the fields that may hold the text of an inbound message */
export const classifyRow = (fields: readonly Field[], index: FieldsByName, textFields: readonly string[]): RowKind => {
  const status = index.get('Status')
  const code = readStatusCode(status)
  if (code === INBOUND_MESSAGE_STATUS) return { kind: 'message' }
  if (status !== undefined && code !== undefined) return { kind: 'receipt', status, code }
  // A nested `Status` is one that can't be read, which is not the same as none.
  if (fields.some(isInsideStatus)) return unknown('missing-status', 'the Status of the item is not a plain value')
  const hasHandset = readValue(index.get(HANDSET)) !== undefined
  if (hasHandset && textFields.some((name) => isText(index.get(name)))) return { kind: 'message' }
  if (!hasFieldOfMessage(fields)) {
    return unknown('missing-status', 'the item has no Status, which tells receipts from inbound messages')
  }
  return hasHandset
    ? unknown('missing-text', describeMissingText(textFields))
    : unknown('missing-sender', `the inbound message has neither a Status nor ${HANDSET}`)
}

const unknown = (reason: DeadLetterReason, detail: string): RowKind => ({ kind: 'unknown', reason, detail })

export const describeMissingText = (textFields: readonly string[]): string =>
  `the inbound message has none of the fields ${textFields.join(', ')}; name its text field in textFields`

/** Whether the field can hold the text of a message. An empty text is a text. */
export const isText = (field: Field | undefined): field is Field =>
  field !== undefined && field.type !== 'null' && field.type !== 'empty'

const isInsideStatus = ({ name }: Field): boolean => name.startsWith('Status[')

const hasFieldOfMessage = (fields: readonly Field[]): boolean =>
  fields.some((field) => MESSAGE_FIELDS.has(field.name) && readValue(field) !== undefined)

/**
 * The number of the code has no meaning here, because -12 is "invalid credential" on Mtarget's page and "invalid parameter"
 * in wp-sms.
 *
 * @returns the reason that the row gives; undefined if it is not an account error
 */
export const findAccountError = (fields: readonly Field[]): string | undefined => {
  const valueOf = (name: string): string | undefined => readValue(findField(fields, name))
  if (valueOf('Status') !== undefined || hasFieldOfMessage(fields)) return undefined
  // An item with an unreadable `Status` must become a dead letter, because a row that is an account error is dropped.
  const hasItemValue = fields.some((field) => ITEM_FIELDS.has(field.name) && readValue(field) !== undefined)
  if (hasItemValue && fields.some((field) => field.name === 'Status' || isInsideStatus(field))) return undefined
  const code = valueOf('code')
  if (code === undefined || code === '0') return undefined
  return `${valueOf('reason') ?? valueOf('Reason') ?? 'no reason given'} (code ${code})`
}

const STATUS_MEMBER = /"Status"[ \t\r\n]*:[ \t\r\n]*"?/g
const DIGITS = { first: 0x30, last: 0x39 }

/**
 * Whether the text of a row shows without doubt that the row is no account error: its first `Status` begins with a digit, so
 * that it has a value.
 *
 * @param text with the row from `start` to `end`: an object without nested values and without escapes in its names, so that
 * `"Status"` in front of a colon can be nothing but the name of a member
 */
export const hasPlainStatus = (text: string, start: number, end: number): boolean => {
  STATUS_MEMBER.lastIndex = start
  if (!STATUS_MEMBER.test(text) || STATUS_MEMBER.lastIndex >= end) return false
  const code = text.charCodeAt(STATUS_MEMBER.lastIndex)
  return code >= DIGITS.first && code <= DIGITS.last
}
