import type { Config } from '../config/types.js'

/** `kafka` of the configuration, as the Kafka client uses it. Durations are in milliseconds, sizes in bytes. */
export interface KafkaSettings extends Omit<Config['kafka'], 'delivery'> {
  /** The name of this process: stable across restarts, unique on the cluster. */
  readonly instance: string
}

export type Compression = KafkaSettings['compression']

/**
 * The transactional producer's `transaction.timeout.ms`: how long the broker keeps an unfinished transaction before it
 * aborts it. It must stay below the broker's `transaction.max.timeout.ms` (15 minutes by default).
 */
export const TRANSACTION_TIMEOUT_MS = 60_000
