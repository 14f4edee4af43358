import type { DeliveryStatus } from '../../core/event.js'

/** What marks a mobile-originated message. Attested: the pulling page of developers.mtarget.fr. */
export const INBOUND = '5'

/**
 * Mtarget's `Status` codes. Second-hand (a public integration, wp-sms); the provider's own table could not be read.
 * 0 waiting, 1 in progress, 2 sent to the operator, 3 delivered, 4 refused by the operator, 6 not delivered.
 */
const STATUSES: ReadonlyMap<string, DeliveryStatus> = new Map([
  ['0', 'SCHEDULED'],
  ['1', 'ENROUTE'],
  ['2', 'ENROUTE'],
  ['3', 'DELIVERED'],
  ['4', 'REJECTED'],
  ['6', 'UNDELIVERABLE'],
])

export const deliveryStatus = (code: string): DeliveryStatus => STATUSES.get(code) ?? 'UNKNOWN'
