import type { DeliveryStatus } from '../../core/event.js'

/** The `Status` of an inbound message. Attested: https://developers.mtarget.fr/api-pulling. */
export const INBOUND_MESSAGE_STATUS = '5'

/**
 * Mtarget's `Status` codes of receipts: 0 waiting, 1 in progress, 2 sent to the operator, 3 delivered, 4 refused by the
 * operator, 6 not delivered. Second-hand (the public integration wp-sms), because Mtarget's own table is not public.
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
