/** Record headers: CloudEvents 1.0, Kafka binding in binary mode. */
import type { Envelope } from '../core/event.js'
import type { EventKind } from '../registry/schemas.js'

const TYPES: Readonly<Record<EventKind, string>> = {
  dlr: 'sms.delivery-receipt.v1',
  mo: 'sms.inbound-message.v1',
  'dead-letter': 'sms.dead-letter.v1',
}

/** @param id of this record: the event's, or with a part number for the later parts of a dead letter */
export const cloudEventHeaders = (event: Envelope & { kind: EventKind }, id: string): Record<string, string> => ({
  ce_specversion: '1.0',
  ce_id: id,
  ce_source: `/${event.provider}/${event.source}`,
  ce_type: TYPES[event.kind],
  ce_time: new Date(event.receivedAt).toISOString(),
  'content-type': 'application/avro',
})
