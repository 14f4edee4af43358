/** The record headers of CloudEvents 1.0 (Kafka protocol binding, binary content mode), as replicas write and read them. */
import type { Envelope } from '../core/event.js'
import type { EventKind } from '../registry/schemas.js'

/** The attribute `type` of each kind of event. */
export const CLOUDEVENTS_TYPES: Readonly<Record<EventKind, string>> = {
  dlr: 'sms.delivery-receipt.v1',
  mo: 'sms.inbound-message.v1',
  'dead-letter': 'sms.dead-letter.v1',
}

/** Writes the headers of records. The events of one page share all but their ids, so what was formatted last is kept. */
export class CloudEventsHeaders {
  #receivedAt = Number.NaN
  #time = ''

  /** @param id the event id, followed by the part number for the later parts of a dead letter */
  of(event: Envelope & { kind: EventKind }, id: string): Record<string, string> {
    if (event.receivedAt !== this.#receivedAt) {
      this.#receivedAt = event.receivedAt
      this.#time = new Date(event.receivedAt).toISOString()
    }
    return {
      ce_specversion: '1.0',
      ce_id: id,
      ce_source: `/${event.provider}/${event.source}`,
      ce_type: CLOUDEVENTS_TYPES[event.kind],
      ce_time: this.#time,
      'content-type': 'application/avro',
    }
  }
}

/** What `CloudEventsHeaders` has written. The source and the time are undefined and NaN where a header is not of that form. */
export interface CloudEventsAttributes {
  readonly id: string
  /** The key under `sources`. */
  readonly source: string | undefined
  readonly type: string
  /** Milliseconds since the epoch. */
  readonly time: number
}

/** @param headerOf returns the value of a header; an empty text for one that is missing */
export const parseCloudEventsHeaders = (headerOf: (name: string) => string): CloudEventsAttributes => ({
  id: headerOf('ce_id'),
  source: headerOf('ce_source').split('/')[2],
  type: headerOf('ce_type'),
  time: Date.parse(headerOf('ce_time')),
})
