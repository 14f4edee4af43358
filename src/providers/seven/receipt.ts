/** One receipt of seven, from whichever way of delivery. */
import type { DeadLetterItem, ReceiptItem } from '../provider.js'
import { dead } from '../wire/dead.js'
import { MAX_FIELDS_OF_AN_ITEM, rawOf, said, type Field } from '../wire/fields.js'
import { phoneNumber } from '../wire/numbers.js'
import { instantIn } from '../wire/times.js'
import { canonicalStatus, deliveryStatus } from './statuses.js'

/**
 * Zone of dates without one. From a pair of samples in seven's own document: "2021-08-24 08:08:00.000000" beside
 * "2021-08-24T08:08:00+02:00".
 */
export const ZONE = 'Europe/Berlin'

/** The fields that say something; what each way of delivery calls them is its caller's affair. */
export interface ReceiptFields {
  readonly id: Field | undefined
  readonly status: Field | undefined
  /**
   * When the status came about. Of a webhook that gives none for it, its own `webhook_timestamp`: in seven's samples the
   * two are the same instant.
   */
  readonly time?: Field | undefined
  readonly to?: Field | undefined
  readonly from?: Field | undefined
  /** Every field that was sent with it. */
  readonly all: readonly Field[]
}

export const phone = (field: Field | undefined): string | null => {
  const text = said(field)
  return text === undefined ? null : phoneNumber(text)
}

export const readReceipt = (fields: ReceiptFields, body: Uint8Array): ReceiptItem | DeadLetterItem => {
  const messageId = said(fields.id)
  const status = said(fields.status)
  if (messageId === undefined) {
    return dead('missing-id', 'a receipt without msg_id: which message it is about can not be known', body)
  }
  if (status === undefined) return dead('missing-status', `no status is given for message ${messageId}`, body)
  if (fields.all.length > MAX_FIELDS_OF_AN_ITEM) {
    return dead('too-complex', `the receipt has ${fields.all.length} fields; replay it if it should be read`, body)
  }
  const canonical = canonicalStatus(status)
  return {
    kind: 'dlr',
    messageId,
    recipient: phone(fields.to),
    sender: phone(fields.from),
    status: deliveryStatus(canonical),
    providerStatus: (fields.status as Field).value,
    providerStatusText: null,
    errorCode: null,
    occurredAt: instantIn(ZONE, said(fields.time)),
    raw: rawOf(fields.all),
    // Not the time: callback, webhook and query each give another one for the same report.
    identity: [messageId, canonical],
    body,
  }
}
