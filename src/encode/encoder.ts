/**
 * The port that turns events into records.
 *
 * The pipeline alone calls it, one call at a time; `ready` may be called while an `encode` is under way.
 */
import type { Event } from '../core/event.js'
import type { RequestFacts } from '../core/received.js'
import type { OutgoingRecord } from '../kafka/publisher.js'

/** What an event was read from: goes into the dead letter of an event that no record can hold. */
export interface Origin {
  /** The bytes of the row or report. */
  readonly body: Uint8Array
  /** Facts of the request or answer that it came with. */
  readonly facts: RequestFacts
}

export interface EncodedEvent {
  /** In order: one, or as many as a dead letter's body needs. */
  readonly records: readonly OutgoingRecord[]
  /** Reason of the dead letter that the records are; null where they are the event itself. */
  readonly deadLetter: string | null
}

export interface Encoder {
  /**
   * The gate before every transaction: resolves at once while the registry has confirmed our schemas, or while it is
   * away and their ids are remembered from an earlier run. After a rejection nothing that was encoded before may be
   * published: the schema ids in it may not be the right ones any more.
   * @throws ConnectorError SCHEMA_REFUSED, REGISTRY_UNREACHABLE, REGISTRY_REFUSED: publishing must wait, with this reason
   */
  ready(): Promise<void>

  /**
   * Records for one event. One that is too large for the broker comes back as the records of a dead letter with reason
   * `too-large`, made of its `origin`. Never rejects for what is in the event; only callable after `ready` has resolved
   * once.
   */
  encode(event: Event, origin: Origin): Promise<EncodedEvent>
}
