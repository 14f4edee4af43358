import type { DeliveryStatus } from '../../core/event.js'

/**
 * seven's nine statuses. Attested: its page on delivery reports, its OpenAPI file, its JavaScript client. `READ` is the
 * status of an RCS message (docs.seven.io webhooks), which the message log lists as well; SMPP has no such state, and a
 * message that was read has been delivered.
 */
const STATUSES: ReadonlyMap<string, DeliveryStatus> = new Map([
  ['ACCEPTED', 'ACCEPTED'],
  ['BUFFERED', 'ENROUTE'],
  ['DELIVERED', 'DELIVERED'],
  ['EXPIRED', 'EXPIRED'],
  ['FAILED', 'UNDELIVERABLE'],
  ['NOTDELIVERED', 'UNDELIVERABLE'],
  ['READ', 'DELIVERED'],
  ['REJECTED', 'REJECTED'],
  ['TRANSMITTED', 'ENROUTE'],
  ['UNKNOWN', 'UNKNOWN'],
])

/**
 * Writes a status as the documents do, in upper case. Identity and mapping use this form, so that a receipt is the same
 * one even if two ways of delivery write its status differently.
 */
export const canonicalStatus = (sent: string): string => sent.trim().toUpperCase()

export const deliveryStatus = (canonical: string): DeliveryStatus => STATUSES.get(canonical) ?? 'UNKNOWN'

/** Whether the documents know this status. */
export const isKnownStatus = (canonical: string): boolean => STATUSES.has(canonical)
