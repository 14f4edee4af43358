/**
 * Reads one item of Mtarget. A pushed item and a row of the queue have the same fields: Mtarget's page about pulling
 * says that it gives "the same returns" as the push.
 *
 * Where the names of the fields come from:
 * - Attested (https://developers.mtarget.fr/api-pulling): `Status`, and that 5 marks an inbound message; `msisdn`,
 *   `code`, `reason` and `ticket` in the row of an account error.
 * - Second-hand, in the public integrations wp-sms and takussan: `MsgId`, `StatusText` and `DestinationAdress`, whose
 *   misspelling is Mtarget's. In wp-sms only: `OriginatedAddress`, `Reason`, `RSN`. In takussan only:
 *   `DeliveryDateTime`, and `ticket`, `msisdn` and `reason` as other names in receipts.
 * - Not attested: `DestinationAddress`, in case Mtarget corrects the spelling; `code` in receipts; the name of the text
 *   of an inbound message, which is therefore configurable (`textFields`).
 */
import type { DeadLetterItem, DecodeSettings, Item, MessageItem, ReceiptItem } from '../provider.js'
import { deadLetter, repeatedFieldDeadLetter, tooManyFieldsDeadLetter } from '../wire/dead-letter.js'
import {
  concatFields,
  findConflict,
  findField,
  indexByName,
  MAX_FIELDS_PER_ITEM,
  presentValue,
  toRaw,
  type Field,
  type FieldsByName,
} from '../wire/fields.js'
import { normalizePhoneNumber } from '../wire/phone-numbers.js'
import { parseInstant } from '../wire/times.js'
import { deliveryStatus, INBOUND_MESSAGE_STATUS } from './statuses.js'

// Of each of these lists, the first field that is present counts.
/** The id that Mtarget returned when the message was sent. All recipients of one request have the same id. */
const MESSAGE_ID = ['MsgId', 'ticket'] as const
const RECIPIENT = ['DestinationAdress', 'DestinationAddress', 'msisdn'] as const
/** Without `msisdn`, which could also be the handset of an inbound message. */
const INBOUND_RECIPIENT = ['DestinationAdress', 'DestinationAddress'] as const
const SENDER = ['OriginatedAddress'] as const
const STATUS_TEXT = ['StatusText', 'Reason', 'reason'] as const
const ERROR_CODE = ['RSN', 'code'] as const
const TIME = ['DeliveryDateTime'] as const

/** The fields that decide what an item means. All others only go into `raw`. */
export const INTERPRETED_FIELDS: ReadonlySet<string> = new Set([
  ...['Status', ...MESSAGE_ID, ...RECIPIENT, ...SENDER],
  ...[...STATUS_TEXT, ...ERROR_CODE, ...TIME],
])

/** The fields that an item has and an account error has not. */
const ITEM_FIELDS: ReadonlySet<string> = new Set([...MESSAGE_ID, ...RECIPIENT, ...SENDER])

/** Whether there is any field of an item. If not, the fields are something else, not an item that lacks something. */
export const hasInterpretedField = (fields: readonly Field[]): boolean =>
  fields.some(({ name }) => INTERPRETED_FIELDS.has(name))

/** Mtarget sends the text `null` for an absent value (attested: the error sample of its page about pulling). */
const readValue = (field: Field | undefined): string | undefined => {
  const text = presentValue(field)
  return text === 'null' ? undefined : text
}

const firstValue = (fields: FieldsByName, names: readonly string[]): string | undefined => {
  for (const name of names) {
    const value = readValue(fields.get(name))
    if (value !== undefined) return value
  }
  return undefined
}

/** Reads `3`, `"3"`, `" 3"` and `3.0` as the same code. */
const readStatusCode = (field: Field | undefined): string | undefined => {
  const value = readValue(field)
  return value !== undefined && field?.type === 'number' ? String(Number(value)) : value
}

/** Whether this is `Status` or, for a nested value, a part of it. */
const isStatusField = ({ name }: Field): boolean => name === 'Status' || name.startsWith('Status[')

/**
 * A row without `Status` and with another `code` than "0" is an error of the account. The number of the code has no
 * meaning here, because -12 is "invalid credential" on Mtarget's page and "invalid parameter" in wp-sms.
 *
 * @returns the reason that the row gives; undefined if it is not an account error
 */
export const findAccountError = (fields: readonly Field[]): string | undefined => {
  const valueOf = (name: string): string | undefined => readValue(findField(fields, name))
  if (valueOf('Status') !== undefined) return undefined
  // An item with an unreadable `Status` must become a dead letter, because a row that is an account error is dropped.
  const hasItemField = fields.some((field) => ITEM_FIELDS.has(field.name) && readValue(field) !== undefined)
  if (fields.some(isStatusField) && hasItemField) return undefined
  const code = valueOf('code')
  if (code === undefined || code === '0') return undefined
  return `${valueOf('reason') ?? valueOf('Reason') ?? 'no reason given'} (code ${code})`
}

export interface Row {
  readonly fields: readonly Field[]
  /** Other fields that were sent with the item. They only go into `raw`. */
  readonly rawOnly: readonly Field[]
  /** The bytes of the item. */
  readonly body: Uint8Array
}

export const readRow = (row: Row, settings: DecodeSettings): Item => {
  const { fields, rawOnly, body } = row
  if (fields.length + rawOnly.length > MAX_FIELDS_PER_ITEM) {
    return tooManyFieldsDeadLetter(fields.length + rawOnly.length, body)
  }
  const index = indexByName(fields)
  const hasRepeatedName = index.size < fields.length
  const conflict = hasRepeatedName ? findConflict(fields, INTERPRETED_FIELDS) : undefined
  if (conflict !== undefined) return repeatedFieldDeadLetter(conflict, body)
  const status = index.get('Status')
  const code = readStatusCode(status)
  if (status === undefined || code === undefined) {
    return deadLetter('missing-status', 'the item has no Status, which tells receipts from inbound messages', body)
  }
  return code === INBOUND_MESSAGE_STATUS ? readMessage(row, index, settings) : readReceipt(row, index, status, code)
}

const readReceipt = (row: Row, index: FieldsByName, status: Field, code: string): ReceiptItem | DeadLetterItem => {
  const { body } = row
  const messageId = firstValue(index, MESSAGE_ID)
  if (messageId === undefined) {
    const detail = `the receipt (Status ${code}) has no MsgId, so it is not known which message it is about`
    return deadLetter('missing-id', detail, body)
  }
  const recipient = readPhoneNumber(index, RECIPIENT)
  const time = firstValue(index, TIME)
  return {
    kind: 'dlr',
    messageId,
    recipient,
    sender: readPhoneNumber(index, SENDER),
    status: deliveryStatus(code),
    providerStatus: status.value,
    providerStatusText: firstValue(index, STATUS_TEXT) ?? null,
    errorCode: firstValue(index, ERROR_CODE) ?? null,
    // The format and zone of DeliveryDateTime are not documented, so a time without a zone is not read.
    occurredAt: parseInstant(time),
    raw: toRaw(concatFields(row.fields, row.rawOnly)),
    clientReference: null,
    network: null,
    segments: null,
    price: null,
    part: null,
    // Without a recipient the receipts of one request can't be told apart, because all of them have the same MsgId.
    identity: recipient === null ? null : [messageId, recipient, code, ...(time === undefined ? [] : [time])],
    body,
  }
}

const readMessage = (row: Row, index: FieldsByName, settings: DecodeSettings): MessageItem | DeadLetterItem => {
  const { body } = row
  const sender = readPhoneNumber(index, SENDER)
  if (sender === null) {
    return deadLetter('missing-sender', 'the inbound message (Status 5) has no OriginatedAddress', body)
  }
  const text = readText(row, index, settings.textFields)
  if (typeof text !== 'string') return text
  return {
    kind: 'mo',
    // It is not documented whether MsgId is the id of this message or of the message that it answers. It is the id that
    // Mtarget gives the item, and `inReplyTo` stays empty (invariant 6).
    messageId: firstValue(index, MESSAGE_ID) ?? null,
    sender,
    recipient: readPhoneNumber(index, INBOUND_RECIPIENT),
    text,
    keyword: null,
    inReplyTo: null,
    occurredAt: parseInstant(firstValue(index, TIME)),
    raw: toRaw(concatFields(row.fields, row.rawOnly)),
    part: null,
    clientReference: null,
    network: null,
    optOut: null,
    // Two handsets, or one handset twice, may send the same text.
    identity: null,
    body,
  }
}

const readPhoneNumber = (index: FieldsByName, names: readonly string[]): string | null => {
  const sent = firstValue(index, names)
  return sent === undefined ? null : normalizePhoneNumber(sent)
}

/**
 * Reads the first text field that is present. An empty text is a text. The text `null` may be Mtarget's way to send an
 * absent value, and may also be what a handset sent, so it only counts if no other text field is present.
 */
const readText = ({ fields, body }: Row, index: FieldsByName, names: readonly string[]): string | DeadLetterItem => {
  let hasNullText = false
  for (const name of names) {
    const field = index.get(name)
    if (field === undefined || field.type === 'null' || field.type === 'empty') continue
    if (findConflict(fields, new Set([name])) !== undefined) return repeatedFieldDeadLetter(name, body)
    if (field.value !== 'null') return field.value
    hasNullText = true
  }
  if (hasNullText) return 'null'
  const detail = `the inbound message has none of the fields ${names.join(', ')}; name its text field in textFields`
  return deadLetter('missing-text', detail, body)
}
