/**
 * The port through which records reach the broker, together with the position that says they did.
 *
 * The pipeline alone calls it, one call at a time (invariant 7). Any rejection means *doubt*: the transaction may or
 * may not have been committed. The caller then calls `open` again, and the position read there tells which.
 */

/** A record ready for the wire. */
export interface OutgoingRecord {
  readonly topic: string
  /** UTF-8 */
  readonly key: string
  /** Confluent wire format: 0, 4-byte schema id, Avro. */
  readonly value: Buffer
  readonly headers: Readonly<Record<string, string>>
}

export interface Publisher {
  /** Whether `open` can find a position: false where the broker is given none, and `open` always resolves with -1. */
  readonly keepsPosition: boolean

  /**
   * Makes a new producer that fences every earlier one of this instance, and only then reads the position.
   * @returns the sequence number up to which this journal's entries are committed, -1 if the broker knows of none
   * @throws ConnectorError KAFKA_UNREACHABLE, KAFKA_REFUSED, TOPIC_MISSING
   */
  open(journalId: string): Promise<number>

  /**
   * Commits the records and the position, all or nothing. Resolves after the broker has acknowledged both.
   * @throws ConnectorError PUBLISH_IN_DOUBT: open again; PRODUCER_REPLACED: a younger producer took over, stop
   */
  publish(records: readonly OutgoingRecord[], position: number): Promise<void>

  close(): Promise<void>
}
