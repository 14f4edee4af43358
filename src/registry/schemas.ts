/** The Avro schemas that events leave with: `schemas/*.avsc`, which lies beside `src` and `dist` alike. */
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import avro from 'avsc'
import type { Event } from '../core/event.js'

export type EventKind = Event['kind']

export interface EventSchema {
  readonly kind: EventKind
  /** Full name: `sms.events.DeliveryReceipt`. */
  readonly name: string
  /** Compact JSON, docs included: what the registry gets. */
  readonly text: string
  readonly type: avro.Type
  /** SHA-256 of the text, hex. */
  readonly fingerprint: string
}

const FILES: Readonly<Record<EventKind, string>> = {
  dlr: 'delivery-receipt.avsc',
  mo: 'inbound-message.avsc',
  'dead-letter': 'dead-letter.avsc',
}

export const EVENT_KINDS = Object.keys(FILES) as EventKind[]

/** Relative to this module, so that it is found from any working directory. */
const load = (kind: EventKind): EventSchema => {
  const schema = JSON.parse(
    readFileSync(new URL(`../../schemas/${FILES[kind]}`, import.meta.url), 'utf8'),
  ) as avro.Schema
  const text = JSON.stringify(schema)
  const type = avro.Type.forSchema(schema)
  return { kind, name: type.name!, text, type, fingerprint: createHash('sha256').update(text).digest('hex') }
}

export const loadSchemas = (): Readonly<Record<EventKind, EventSchema>> => ({
  dlr: load('dlr'),
  mo: load('mo'),
  'dead-letter': load('dead-letter'),
})

export type SubjectNaming = 'topic-name' | 'record-name' | 'topic-record-name'

/** The registry's three usual strategies. */
export function subjectOf(naming: SubjectNaming, topic: string, schema: EventSchema): string {
  switch (naming) {
    case 'topic-name':
      return `${topic}-value`
    case 'record-name':
      return schema.name
    case 'topic-record-name':
      return `${topic}-${schema.name}`
  }
}
