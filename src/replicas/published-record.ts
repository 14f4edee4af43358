/** A record of one of our topics, as far as another replica has to know it. */
import type { KafkaMessage } from 'kafkajs'

export interface PublishedRecord {
  readonly source: string
  readonly eventId: string
  readonly receivedAt: number
  /** Of a delivery receipt: the message that it is about. */
  readonly messageId: string | null
}

/** As identified events have them; what has no identity never comes a second time. */
const EVENT_ID = /^[0-9a-f]{32}$/

/** @returns undefined for what is not ours, or without an identity of its own */
export function readPublished({ key, headers }: KafkaMessage): PublishedRecord | undefined {
  const header = (name: string): string => String(headers?.[name] ?? '')
  const eventId = header('ce_id')
  const [, , source] = header('ce_source').split('/')
  const receivedAt = Date.parse(header('ce_time'))
  if (!EVENT_ID.test(eventId) || source === undefined || Number.isNaN(receivedAt)) return undefined
  const isReceipt = header('ce_type') === 'sms.delivery-receipt.v1'
  return { source, eventId, receivedAt, messageId: isReceipt ? String(key) : null }
}
