/** Record headers of CloudEvents 1.0, Kafka protocol binding, binary content mode. */
import type { Envelope } from '../core/event.js'
import type { EventKind } from '../registry/schemas.js'

const TYPES: Readonly<Record<EventKind, string>> = {
  dlr: 'sms.delivery-receipt.v1',
  mo: 'sms.inbound-message.v1',
  'dead-letter': 'sms.dead-letter.v1',
}

/** @param id the event id, followed by the part number for the later parts of a dead letter */
export const cloudEventsHeaders = (event: Envelope & { kind: EventKind }, id: string): Record<string, string> => ({
  ce_specversion: '1.0',
  ce_id: id,
  ce_source: `/${event.provider}/${event.source}`,
  ce_type: TYPES[event.kind],
  ce_time: new Date(event.receivedAt).toISOString(),
  'content-type': 'application/avro',
})
