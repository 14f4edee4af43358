/**
 * Reads one item of Mtarget. A pushed item and a row of the queue have the same fields: Mtarget's page about pulling
 * says that it gives "the same returns" as the push.
 *
 * Where the names of the fields come from:
 * - Attested (https://developers.mtarget.fr/api-pulling): `Status`, and that 5 marks an inbound message; `msisdn`,
 *   `smscount`, `code`, `reason` and `ticket` in the row of an account error.
 * - Second-hand, in the public integrations wp-sms and takussan: `MsgId`, `StatusText` and `DestinationAdress`, whose
 *   misspelling is Mtarget's. In wp-sms only: `OriginatedAddress`, `Reason`, `RSN`. In takussan only:
 *   `DeliveryDateTime`, and `ticket`, `msisdn` and `reason` as other names in receipts. In the gateway courier only:
 *   `Msisdn`, `Content`, `Keyword` (`Default`, `Stop`) and `msglong.…` of inbound messages; `smscount` in Mtarget's answer
 *   to a request that sends a message. In another integration only: `remoteid`, the sender's own id, in receipts.
 * - Not attested: `DestinationAddress` in receipts, in case Mtarget corrects the spelling; `code` and `smscount` in
 *   receipts; `remoteid` in inbound messages; the name of the text in the rows of the queue. The names of the text are
 *   therefore configurable (`textFields`).
 */
import type { OptOut, Part } from '../../core/event.js'
import type { DeadLetterItem, DecodeSettings, Item, MessageItem, ReceiptItem } from '../provider.js'
import { deadLetter, repeatedFieldDeadLetter, tooManyFieldsDeadLetter } from '../wire/dead-letter.js'
import {
  concatFields,
  findConflict,
  indexByName,
  MAX_FIELDS_PER_ITEM,
  presentValue,
  toRaw,
  unambiguousValue,
  type Field,
  type FieldsByName,
} from '../wire/fields.js'
import { parseCount } from '../wire/numbers.js'
import { normalizePhoneNumber } from '../wire/phone-numbers.js'
import { parseInstant } from '../wire/times.js'
import {
  classifyRow,
  describeMissingText,
  ERROR_CODE,
  HANDSET,
  INTERPRETED_FIELDS,
  isText,
  KEYWORD,
  MESSAGE_ID,
  PART_NUMBER,
  PART_REFERENCE,
  PART_TOTAL,
  readValue,
  RECIPIENT,
  SENDER,
  STATUS_TEXT,
  TIME,
} from './row-kind.js'
import { deliveryStatus } from './statuses.js'

/** Without `msisdn`, which could also be the handset of an inbound message. */
const INBOUND_RECIPIENT = ['DestinationAdress'] as const
const INBOUND_SENDER = [HANDSET, ...SENDER] as const
/** The sender's own id of the message. */
const CLIENT_REFERENCE = ['remoteid'] as const
const SEGMENTS = ['smscount'] as const

export interface Row {
  readonly fields: readonly Field[]
  /** Other fields that were sent with the item. They only go into `raw`. */
  readonly rawOnly: readonly Field[]
  /** The bytes of the item. */
  readonly body: Uint8Array
}

export const readRow = (row: Row, { textFields }: DecodeSettings): Item => {
  const { fields, rawOnly, body } = row
  if (fields.length + rawOnly.length > MAX_FIELDS_PER_ITEM) {
    return tooManyFieldsDeadLetter(fields.length + rawOnly.length, body)
  }
  const index = indexByName(fields)
  const hasRepeatedName = index.size < fields.length
  const conflict = hasRepeatedName ? findConflict(fields, INTERPRETED_FIELDS) : undefined
  if (conflict !== undefined) return repeatedFieldDeadLetter(conflict, body)
  const classified = classifyRow(fields, index, textFields)
  switch (classified.kind) {
    case 'receipt':
      return readReceipt(row, index, classified.status, classified.code)
    case 'message':
      return readMessage(row, index, textFields)
    case 'unknown':
      return deadLetter(classified.reason, classified.detail, body)
  }
}

const readReceipt = (row: Row, index: FieldsByName, status: Field, code: string): ReceiptItem | DeadLetterItem => {
  const { body } = row
  const id = firstField(index, MESSAGE_ID)
  const messageId = presentValue(id)
  if (messageId === undefined) {
    const detail = `the receipt (Status ${code}) has no MsgId, so it is not known which message it is about`
    return deadLetter('missing-id', detail, body)
  }
  const to = firstField(index, RECIPIENT)
  const recipient = phoneNumberOf(to)
  const time = firstField(index, TIME)
  return {
    kind: 'dlr',
    messageId,
    recipient,
    sender: phoneNumberOf(firstField(index, SENDER)),
    status: deliveryStatus(code),
    providerStatus: status.value,
    providerStatusText: firstValue(index, STATUS_TEXT) ?? null,
    errorCode: firstValue(index, ERROR_CODE) ?? null,
    // The format and zone of DeliveryDateTime are not documented, so a time without a zone is not read.
    occurredAt: parseInstant(presentValue(time)),
    raw: toRaw(concatFields(row.fields, row.rawOnly)),
    clientReference: readAddition(row, index, CLIENT_REFERENCE) ?? null,
    network: null,
    segments: parseCount(readAddition(row, index, SEGMENTS)),
    price: null,
    part: null,
    // Without a recipient the receipts of one request can't be told apart, because all of them have the same MsgId.
    identity:
      recipient === null
        ? null
        : [
            exactOr(messageId, id),
            exactOr(recipient, to),
            exactOr(code, status),
            ...(time === undefined ? [] : [exactOr(time.value.trim(), time)]),
          ],
    body,
  }
}

/** The value that was read from a field or, if a record can't hold what was sent, the exact one. */
const exactOr = (value: string, field: Field | undefined): string => field?.exact?.trim() ?? value

const readMessage = (row: Row, index: FieldsByName, textFields: readonly string[]): MessageItem | DeadLetterItem => {
  const { body } = row
  const sender = phoneNumberOf(firstField(index, INBOUND_SENDER))
  if (sender === null) {
    return deadLetter('missing-sender', `the inbound message (Status 5) has no ${INBOUND_SENDER.join(' or ')}`, body)
  }
  const text = readText(row, index, textFields)
  if (typeof text !== 'string') return text
  const keyword = readAddition(row, index, [KEYWORD])
  return {
    kind: 'mo',
    // It is not documented whether MsgId is the id of this message or of the message that it answers. It is the id that
    // Mtarget gives the item, and `inReplyTo` stays empty (invariant 6).
    messageId: firstValue(index, MESSAGE_ID) ?? null,
    sender,
    recipient: phoneNumberOf(firstField(index, INBOUND_RECIPIENT)),
    text,
    keyword: keyword ?? null,
    inReplyTo: null,
    occurredAt: parseInstant(firstValue(index, TIME)),
    raw: toRaw(concatFields(row.fields, row.rawOnly)),
    part: readPart(row, index),
    clientReference: readAddition(row, index, CLIENT_REFERENCE) ?? null,
    network: null,
    optOut: optOutOf(keyword),
    // Two handsets, or one handset twice, may send the same text.
    identity: null,
    body,
  }
}

/** `Stop` is the only keyword of an opt-out that is attested. `Default` says that no keyword was found. */
const optOutOf = (keyword: string | undefined): OptOut | null => (keyword?.toLowerCase() === 'stop' ? 'STOP' : null)

/** @returns null for a whole text, and for numbers that can't be those of a part, which are only in `raw` */
const readPart = (row: Row, index: FieldsByName): Part | null => {
  const reference = readAddition(row, index, PART_REFERENCE)
  const number = parseCount(readAddition(row, index, PART_NUMBER))
  const total = parseCount(readAddition(row, index, PART_TOTAL))
  if (reference === undefined || number === null || total === null || number > total) return null
  return { reference, number, total }
}

const firstField = (index: FieldsByName, names: readonly string[]): Field | undefined => {
  for (const name of names) {
    const field = index.get(name)
    if (readValue(field) !== undefined) return field
  }
  return undefined
}

const firstValue = (index: FieldsByName, names: readonly string[]): string | undefined =>
  presentValue(firstField(index, names))

/** The value of a field that adds to an item. A name with several values has none. */
const readAddition = (row: Row, index: FieldsByName, names: readonly string[]): string | undefined => {
  const name = firstField(index, names)?.name
  if (name === undefined) return undefined
  return unambiguousValue(concatFields(row.fields, row.rawOnly).filter((field) => field.name === name))
}

const phoneNumberOf = (field: Field | undefined): string | null => {
  const sent = presentValue(field)
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
    if (!isText(field)) continue
    if (findConflict(fields, new Set([name])) !== undefined) return repeatedFieldDeadLetter(name, body)
    if (field.value !== 'null') return field.value
    hasNullText = true
  }
  return hasNullText ? 'null' : deadLetter('missing-text', describeMissingText(names), body)
}
