/** Reads the records that other replicas have published, and detects events that are among them twice. */
import type { KafkaMessage } from 'kafkajs'
import { isIdentifiedEventId } from '../core/event.js'
import { CLOUDEVENTS_TYPES, parseCloudEventsHeaders } from '../encode/cloudevents-headers.js'
import type { PublishedEvent } from '../journal/journal.js'

/** By how much the clocks of two replicas, or of a replica and a broker, may differ. Readers start earlier by this much. */
export const CLOCK_SKEW_MS = 600_000

export interface PublishedRecord extends PublishedEvent {
  readonly source: string
  /** The message that a delivery receipt is about; null for other events. */
  readonly messageId: string | null
}

/** @returns undefined for a record of another producer, and for an event without an identity */
export function decodePublishedRecord({ key, headers }: KafkaMessage): PublishedRecord | undefined {
  const { id, source, type, time } = parseCloudEventsHeaders((name) => String(headers?.[name] ?? ''))
  if (!isIdentifiedEventId(id) || source === undefined || Number.isNaN(time)) return undefined
  const isReceipt = type === CLOUDEVENTS_TYPES.dlr
  return { source, eventId: id, receivedAt: time, messageId: isReceipt ? String(key) : null }
}

/** Detects events that are on the topics twice, among the latest ones. */
export class DuplicatePublicationDetector {
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
