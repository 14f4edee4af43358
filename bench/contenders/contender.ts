/** Programs whose speed is measured. Each is a process of its own and runs from the first round to the last. */

export interface Contender {
  readonly name: string
  readonly pid: number
  stop(): Promise<void>
}

/** Takes callbacks of seven. */
export interface CallbackContender extends Contender {
  readonly callbackUrl: string
  /** The topic of the receipts; absent if they are published nowhere. */
  readonly topic?: string
  /** Resolves when everything that was answered is committed. */
  untilPublished(): Promise<void>
}

/** Empties a queue of Mtarget. */
export interface PullContender extends Contender {
  /** Puts rows into the queue. Resolves when all of them are committed. */
  pull(rows: number): Promise<PullFigures>
}

export interface PullFigures {
  /** From the first request that got rows to the last commit. */
  readonly seconds: number
  /** CPU time of the queue divided by the time in which it handed out the rows. */
  readonly queueCpuShare: number
}

/** Publishes records that were encoded before. */
export interface PublishContender extends Contender {
  /** Publishes that many records, and returns the seconds that it took. */
  publish(records: number): Promise<number>
}

/** Partitions of each topic, the same for all. */
export const PARTITIONS = 6
/** What a transaction of the two publishers holds: the largest batch of the connector. */
export const RECORDS_PER_TRANSACTION = 5_000

/** The page size at which pulling is compared. */
export const PAGE_ROWS = 1_000
/** `pull.limit` of the connector for pages of that size from the first one on. */
export const LARGE_PAGES = { min: PAGE_ROWS, start: PAGE_ROWS, max: PAGE_ROWS }

export const MTARGET_SOURCE = 'mtarget-fr'

/** The names under which the contenders are reported. */
export const NAMES = {
  connector: 'this connector',
  connectorLargePages: 'this connector, pages of 1,000',
  connectorDefaultLimit: 'this connector, default limit',
  withoutTelemetry: 'without telemetry',
  withTelemetry: 'with telemetry, 1 % of traces',
  withAllTraces: 'with telemetry, all traces',
  withoutEncryption: 'plain journal',
  withEncryption: 'encrypted journal',
  publisher: 'the publisher of this connector alone',
  kafkajs: 'kafkajs transactions',
  camel: 'Apache Camel, acks=all',
  connect: 'Kafka Connect, exactly once, pages of 1,000',
  fastify: 'fastify and kafkajs, acks=all',
  durableServer: 'node:http with a durable LMDB put',
  loadGenerator: 'the load generator alone',
} as const
