/** What this room needs of the others, in its own words. */
import type { Kafka } from 'kafkajs'

/** One kafkajs client, made for one purpose and thrown away with it. */
export interface Client {
  readonly kafka: Kafka
  /** Cuts every connection and refuses new ones: what still waits for an answer rejects. */
  destroy(): void
}

/** What can be begun once and ended once: the polling, or the reconciling, of one source. */
export interface Work {
  start(): void
  /** Resolves when nothing of it is under way any more. */
  stop(hurry?: AbortSignal): Promise<void>
}

/** Ms by which clocks of publishers and of this replica may differ. */
export const SKEW = 600_000
