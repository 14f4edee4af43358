/**
 * The port through which records reach the broker, together with the position that proves it.
 *
 * Only the pipeline calls a publisher, one call at a time, so that one transaction runs at a time (invariant 7). Any rejection
 * means *doubt*: the transaction may or may not have been committed. The caller then calls `open` again, which makes a new
 * producer, and the position that it returns tells which.
 */

/** A record ready to be sent. */
export interface OutgoingRecord {
  readonly topic: string
  /** Encoded as UTF-8 on the wire. */
  readonly key: string
  /**
   * Confluent wire format: a zero byte, the 4-byte schema id, and the Avro encoding. On the topic of the marks of replays it is
   * JSON.
   */
  readonly value: Buffer
  readonly headers: Readonly<Record<string, string>>
  /**
   * The time at which the item was received, in milliseconds since the epoch; if left out, the time at which the record is sent.
   * A topic that refuses so old a time gets the time at which the record is sent.
   */
  readonly timestamp?: number
}

export interface Publisher {
  /** Whether Kafka stores a position for this publisher. If not, `open` always resolves with -1. */
  readonly keepsPosition: boolean

  /**
   * Makes a new producer that fences every earlier one of this instance, and only then reads the position.
   *
   * @returns the sequence number up to which this journal's entries are committed; -1 if the broker has none
   * @throws ConnectorError KAFKA_UNREACHABLE, KAFKA_REFUSED, TOPIC_MISSING
   */
  open(journalId: string): Promise<number>

  /** The metadata that was committed with the position that the last `open` returned; empty if there is none. */
  readonly positionMetadata: string

  /**
   * Commits the records and the position, all or nothing. Resolves after the broker has acknowledged both.
   *
   * @param metadata stored with the position, as the metadata of a Kafka offset: at most 4,096 characters; default: empty
   * @throws ConnectorError PUBLISH_IN_DOUBT: call `open` again; PRODUCER_REPLACED: another process took over, stop
   */
  publish(records: readonly OutgoingRecord[], position: number, metadata?: string): Promise<void>

  close(): Promise<void>
}
