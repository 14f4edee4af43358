/** What a replica reads from a record that another replica has published. */
import type { KafkaMessage } from 'kafkajs'

/** By how much the clocks of two replicas may differ. Readers start earlier by this much. */
export const CLOCK_SKEW_MS = 600_000

export interface PublishedRecord {
  readonly source: string
  readonly eventId: string
  readonly receivedAt: number
  /** The message that a delivery receipt is about; null for other events. */
  readonly messageId: string | null
}

/** The event id of an item with an identity. An item without one never arrives twice, so its id is not remembered. */
const IDENTIFIED_EVENT_ID = /^[0-9a-f]{32}$/

/** @returns undefined for a record of another producer, and for an event without an identity */
export function decodePublishedRecord({ key, headers }: KafkaMessage): PublishedRecord | undefined {
  const header = (name: string): string => String(headers?.[name] ?? '')
  const eventId = header('ce_id')
  const [, , source] = header('ce_source').split('/')
  const receivedAt = Date.parse(header('ce_time'))
  if (!IDENTIFIED_EVENT_ID.test(eventId) || source === undefined || Number.isNaN(receivedAt)) return undefined
  const isReceipt = header('ce_type') === 'sms.delivery-receipt.v1'
  return { source, eventId, receivedAt, messageId: isReceipt ? String(key) : null }
}
