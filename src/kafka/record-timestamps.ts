/**
 * Chooses the timestamps of records: the time at which an item was received, unless the topic refuses it.
 *
 * A topic refuses records whose timestamp is older than `message.timestamp.before.max.ms` allows, which has no limit by default
 * (`message.timestamp.difference.max.ms` in brokers before Kafka 3.6). An item that waited for longer, for example while Kafka
 * was away, must be published all the same. The broker's answer does not tell the limit, so that it is found out by halving: from
 * then on the records of the topic that waited for longer get the time of publishing.
 */
import type { Clock } from '../core/clock.js'
import { brokerErrorIn } from './kafka-errors.js'
import type { OutgoingRecord } from './publisher.js'

/** Records that waited for less than this are refused because of the clocks, and not because they waited. */
const SHORTEST_WAIT_MS = 1_000
/** A limit that is found to be shorter than this is taken for none: every record gets the time of publishing. */
const SHORTEST_LIMIT_MS = 60_000

const INVALID_TIMESTAMP = 'INVALID_TIMESTAMP'

export class RecordTimestamps {
  readonly #clock: Clock
  /** The longest time that a record may have waited if it is to keep the time at which it was received, by topic. */
  readonly #longestWaitMs = new Map<string, number>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /**
   * Returns the timestamp of a record in milliseconds since the epoch. It never lies in the future: the clock may have been set
   * back since the item was received.
   */
  timestampOf({ topic, timestamp }: OutgoingRecord, now: number): number {
    if (timestamp === undefined || timestamp > now) return now
    const longestWaitMs = this.#longestWaitMs.get(topic)
    return longestWaitMs !== undefined && now - timestamp > longestWaitMs ? now : timestamp
  }

  /**
   * Takes in that the broker has refused records. If it did so because they had waited for too long, fewer records keep the time
   * at which they were received from now on.
   * @param clockLeadMs how far the clock of this machine is ahead of the broker's. By so much less have records waited for the
   *   broker: with a clock that is hours ahead it refuses them because they come from the future.
   * @returns a sentence on what changes; undefined if nothing does
   */
  adaptTo(error: unknown, records: readonly OutgoingRecord[], clockLeadMs = 0): string | undefined {
    const refusal = brokerErrorIn(error)
    const topic = refusal?.subject.topic
    if (refusal?.type !== INVALID_TIMESTAMP || topic === undefined) return undefined
    const now = this.#clock.now()
    const refused = records.filter((record) => record.topic === topic)
    const oldest = refused.reduce((least, record) => Math.min(least, this.timestampOf(record, now)), now)
    const waitMs = now - oldest
    if (Math.min(waitMs, waitMs - clockLeadMs) < SHORTEST_WAIT_MS) return undefined
    const halfMs = waitMs / 2
    const longestWaitMs = halfMs < SHORTEST_LIMIT_MS ? 0 : halfMs
    this.#longestWaitMs.set(topic, longestWaitMs)
    const changed = longestWaitMs === 0 ? '' : ` that waited for more than ${inSeconds(longestWaitMs)} s`
    return (
      `topic ${topic} refuses the time at which its records were received, up to ${inSeconds(waitMs)} s ago; records of this topic` +
      `${changed} get the time of publishing as their timestamp from now on; raise message.timestamp.before.max.ms of topic ` +
      `${topic} (message.timestamp.difference.max.ms before Kafka 3.6) and restart to keep it`
    )
  }
}

const inSeconds = (ms: number): number => Math.round(ms / 1_000)
