/** The settings of the Kafka client. Durations are in milliseconds, sizes in bytes. */
export interface KafkaSettings {
  /** The name of this process: stable across restarts, unique on the cluster. */
  readonly instance: string
  /** Bootstrap brokers as host:port. */
  readonly brokers: readonly string[]
  /** Present if TLS is on. The values are PEM texts. */
  readonly tls?: TlsSettings | undefined
  readonly sasl?: SaslSettings | undefined
  readonly topics: Topics
  /** If absent, the topics must exist. */
  readonly createTopics?: { readonly partitions: number; readonly replicationFactor: number } | undefined
  readonly compression: Compression
  /** The limit of a record batch, per partition and send, with all headers and framing. */
  readonly maxBatchBytes: number
  readonly requestTimeout: number
}

export interface Topics {
  readonly dlr: string
  readonly mo: string
  readonly deadLetter: string
}

export interface TlsSettings {
  readonly ca?: string
  readonly cert?: string
  readonly key?: string
  /** The host name for SNI and for the verification of the certificate. */
  readonly serverName?: string
}

export type SaslSettings =
  | {
      readonly mechanism: 'plain' | 'scram-sha-256' | 'scram-sha-512'
      readonly username: string
      readonly password: string
    }
  | {
      readonly mechanism: 'oauthbearer'
      readonly tokenEndpoint: string
      readonly clientId: string
      readonly clientSecret: string
      readonly scope?: string
    }

export type Compression = 'none' | 'gzip' | 'snappy' | 'lz4' | 'zstd'

/**
 * The transactional producer's `transaction.timeout.ms`: how long the broker keeps an unfinished transaction before it
 * aborts it. It must stay below the broker's `transaction.max.timeout.ms` (15 minutes by default).
 */
export const TRANSACTION_TIMEOUT_MS = 60_000
