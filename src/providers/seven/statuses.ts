import type { DeliveryStatus } from '../../core/event.js'

/** seven's nine delivery reports. Attested: its page on delivery reports, its OpenAPI file and its js-client. */
const STATUSES: ReadonlyMap<string, DeliveryStatus> = new Map([
  ['ACCEPTED', 'ACCEPTED'],
  ['BUFFERED', 'ENROUTE'],
  ['DELIVERED', 'DELIVERED'],
  ['EXPIRED', 'EXPIRED'],
  ['FAILED', 'UNDELIVERABLE'],
  ['NOTDELIVERED', 'UNDELIVERABLE'],
  ['REJECTED', 'REJECTED'],
  ['TRANSMITTED', 'ENROUTE'],
  ['UNKNOWN', 'UNKNOWN'],
])

/**
 * A status in the one spelling that identity and mapping go by. The documents write upper case; the same word in
 * another case is the same report, also when two ways of delivery should differ in it.
 */
export const canonicalStatus = (sent: string): string => sent.trim().toUpperCase()

export const deliveryStatus = (canonical: string): DeliveryStatus => STATUSES.get(canonical) ?? 'UNKNOWN'

export const isStatus = (canonical: string): boolean => STATUSES.has(canonical)
