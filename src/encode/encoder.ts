/**
 * The port that turns events into records.
 *
 * The pipeline alone calls it, one call at a time.
 */
import type { Event } from '../event.js'
import type { OutgoingRecord } from '../publish/publisher.js'

export interface Encoder {
  /**
   * The gate before every transaction: resolves at once while the registry has confirmed our schemas, or while it is
   * away and their ids are remembered from an earlier run.
   * @throws ConnectorError SCHEMA_REFUSED, REGISTRY_UNREACHABLE, REGISTRY_REFUSED: publishing must wait, with this reason
   */
  ready(): Promise<void>

  /**
   * Records for one event, in order: one, or as many as a dead letter's body needs. An event that is too large for the
   * broker comes back as the records of a dead letter with reason `too-large`, whose body is `body`: the bytes that the
   * event was read from.
   */
  encode(event: Event, body: Uint8Array): Promise<OutgoingRecord[]>
}
