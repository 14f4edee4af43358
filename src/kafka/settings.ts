/** What publishing needs of the configuration; durations in milliseconds, sizes in bytes. */
export interface KafkaSettings {
  /** Name of this instance: stable across restarts, unique on the cluster. */
  readonly instance: string
  /** host:port each; the others are found through them. */
  readonly brokers: readonly string[]
  /** PEM texts. Present where TLS is on. */
  readonly tls?: TlsSettings | undefined
  readonly sasl?: SaslSettings | undefined
  readonly topics: Topics
  /** Left out: the topics must exist. */
  readonly createTopics?: { readonly partitions: number; readonly replicationFactor: number } | undefined
  readonly compression: Compression
  /** Per partition and send, headers and overhead counted. */
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
  /** Name to ask for and to check the certificate against. */
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
 * How long the broker keeps an unfinished transaction before it aborts it, in ms. Must stay below the broker's
 * `transaction.max.timeout.ms` (15 minutes by default).
 */
export const TRANSACTION_TIMEOUT = 60_000
