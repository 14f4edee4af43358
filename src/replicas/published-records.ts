/** Reads the records that other replicas have published, and detects events that are among them twice. */
import type { KafkaMessage } from 'kafkajs'
import type { PublishedEvent } from '../journal/journal.js'

/** By how much the clocks of two replicas may differ. Readers start earlier by this much. */
export const CLOCK_SKEW_MS = 600_000

export interface PublishedRecord extends PublishedEvent {
  readonly source: string
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

/** Detects events that are on the topics twice, among the latest ones. */
export class DuplicateDetector {
  readonly #capacity: number
  #recent = new Map<string, string>()
  #older = new Map<string, string>()

  /** @param capacity the number of events that are remembered at least; at most twice as many are */
  constructor(capacity = 100_000) {
    this.#capacity = capacity
  }

  /**
   * @param place topic, partition and offset, because the same record may be read again
   * @returns whether the event was seen at another place before
   */
  isDuplicate(eventId: string, place: string): boolean {
    const seenAt = this.#recent.get(eventId) ?? this.#older.get(eventId)
    if (seenAt !== undefined) return seenAt !== place
    this.#recent.set(eventId, place)
    if (this.#recent.size >= this.#capacity) {
      this.#older = this.#recent
      this.#recent = new Map()
    }
    return false
  }
}
