import type { Config } from '../config/types.js'
import type { ProxySettings } from '../http-client/settings.js'

/** The topics without which nothing is published. The topic of the marks of replays may be missing. */
export const requiredTopics = ({ topics: { dlr, mo, deadLetter } }: Pick<Config['kafka'], 'topics'>): string[] => [
  dlr,
  mo,
  deadLetter,
]

/** `kafka` of the configuration, as the Kafka client uses it. Durations are in milliseconds, sizes in bytes. */
export interface KafkaSettings extends Omit<Config['kafka'], 'delivery'> {
  /** The name of this process: stable across restarts, unique on the cluster. */
  readonly instance: string
  /** For requests to a token endpoint; connections to brokers are always direct. */
  readonly proxy?: ProxySettings | undefined
}

export type Compression = KafkaSettings['compression']
