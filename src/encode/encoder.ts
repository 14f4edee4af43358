/**
 * The port that turns events into Kafka records.
 *
 * Only the pipeline calls `encode`, one call at a time. `ready` may be called while an `encode` is under way.
 */
import type { Event } from '../core/event.js'
import type { DeadLetterSummary } from '../core/observers.js'
import type { Received } from '../core/received.js'
import type { OutgoingRecord } from '../kafka/publisher.js'

/**
 * The bytes of the row or report that an event was decoded from, and the facts of its request. They go into the dead letter
 * that replaces an event that no record can hold.
 */
export interface Origin extends Pick<Received, 'body' | 'facts'> {
  /** The value of the header `traceparent` of the records; they have no such header if it is left out. */
  readonly traceparent?: string | undefined
}

export interface EncodedEvent {
  /** In order: one record, or one for each part of a dead letter. */
  readonly records: readonly OutgoingRecord[]
  /** What the dead letter is if the records are one; null if they are the event itself. */
  readonly deadLetter: DeadLetterSummary | null
}

export interface Encoder {
  /**
   * Resolves when records may be published. It is called before every transaction, and resolves at once while the
   * registry has confirmed the schemas, or while it is unreachable and their ids are remembered from an earlier run.
   * After a rejection no record that was encoded before may be published, because its schema id may be wrong.
   * @throws ConnectorError SCHEMA_REFUSED, REGISTRY_UNREACHABLE, REGISTRY_REFUSED, SCHEMA_IDS_CHANGED: publishing must
   *   wait, for the reason in the message
   */
  ready(): Promise<void>

  /**
   * Encodes one event. An event that is too large for the broker, or that its schema can't hold, becomes a dead letter
   * with reason `too-large` or `not-encodable`, made of its `origin`. It never throws because of the event. May be
   * called once `ready` has resolved.
   */
  encode(event: Event, origin: Origin): EncodedEvent
}
