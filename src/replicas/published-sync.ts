/**
 * Reads what other replicas have published before old entries of this replica's journal are published.
 *
 * An entry that waited here, because Kafka was away, may have been published by another replica in the meantime: the replica that
 * reconciles its source has asked the provider for what it missed. The topics are therefore read up to now, from the first record
 * whose item was received at about the time at which the entries arrived, or later: that replica received its answer no earlier.
 * Entries that are published promptly cost nothing.
 */
import type { Batch } from 'kafkajs'
import { orAborted } from '../core/abort.js'
import type { Clock } from '../core/clock.js'
import type { Log } from '../core/log.js'
import type { Entry, Journal } from '../journal/journal.js'
import { formatKafkaError, isRefusedByBroker } from '../kafka/kafka-errors.js'
import { CLOCK_SKEW_MS, decodePublishedRecord } from './published-records.js'
import type { OpenReader, TopicReader } from './topic-reader.js'

export interface PublishedSyncDeps {
  /** The reconciled sources, which change with the configuration. Items of other sources reach one replica only. */
  readonly sources: ReadonlySet<string>
  /** The age in milliseconds from which an entry is old. */
  readonly oldAfterMs: number
  readonly openReader: OpenReader<Pick<TopicReader, 'readToEnd' | 'close'>>
  readonly journal: Pick<Journal, 'recordPublished'>
  readonly clock: Clock
  readonly log: Log
}

/** The time for which the knowledge of what was published counts as current. */
const SYNC_MAX_AGE_MS = 3_000
/** The reader is closed after this time without use. */
const CLOSE_IDLE_AFTER_MS = 30_000
/** The time for which reading is not attempted again after the broker has refused it. */
const REFUSAL_VALID_MS = 300_000

export class PublishedSync {
  readonly #deps: PublishedSyncDeps
  #reader: { readonly since: number; readonly topics: Pick<TopicReader, 'readToEnd' | 'close'> } | undefined
  #syncedAt = -Infinity
  #refusedAt = -Infinity
  #idleTimer = new AbortController()

  constructor(deps: PublishedSyncDeps) {
    this.#deps = deps
  }

  /**
   * Resolves when the journal knows what other replicas have published of these entries, or when the signal aborts. Where the
   * broker refuses to let the topics be read, it logs that and resolves, because waiting would not help.
   *
   * @throws errors of kafkajs, while the topics cannot be read for another reason
   */
  async syncPublished(entries: readonly Pick<Entry, 'source' | 'receivedAt'>[], signal: AbortSignal): Promise<void> {
    const { sources, oldAfterMs, clock, log } = this.#deps
    const oldBefore = clock.now() - oldAfterMs
    const times = entries.flatMap(({ source, receivedAt }) =>
      receivedAt < oldBefore && sources.has(source) ? [receivedAt] : [],
    )
    if (times.length === 0 || clock.monotonic() - this.#refusedAt < REFUSAL_VALID_MS) return
    try {
      const oldest = times.reduce((least, time) => Math.min(least, time))
      await orAborted(this.#readPublished(oldest), signal)
    } catch (error) {
      await this.close()
      if (!isRefusedByBroker(error)) throw error
      this.#refusedAt = clock.monotonic()
      log.warn(
        { event: 'published-check-skipped' },
        'old entries are published without a check for duplicates, because the topics cannot be read: ' +
          `${formatKafkaError(error)}; grant Read on the topics`,
      )
    }
  }

  async close(): Promise<void> {
    this.#idleTimer.abort()
    const reader = this.#reader
    this.#reader = undefined
    this.#syncedAt = -Infinity
    await reader?.topics.close()
  }

  async #readPublished(oldest: number): Promise<void> {
    const { clock, openReader, log } = this.#deps
    const since = oldest - CLOCK_SKEW_MS
    this.#idleTimer.abort()
    if (this.#reader !== undefined && this.#reader.since > since) await this.close()
    if (this.#reader === undefined) {
      log.info(
        { event: 'published-check-started', oldest: new Date(oldest).toISOString() },
        'old entries wait until this replica has read what other replicas have published',
      )
      this.#reader = { since, topics: await openReader({ since, readBefore: [] }, (batch) => this.#recordBatch(batch)) }
    }
    if (clock.monotonic() - this.#syncedAt >= SYNC_MAX_AGE_MS) {
      const startedAt = clock.monotonic()
      await this.#reader.topics.readToEnd()
      this.#syncedAt = startedAt
    }
    this.#idleTimer = new AbortController()
    const { signal } = this.#idleTimer
    void clock.sleep(CLOSE_IDLE_AFTER_MS, signal).then(() => (signal.aborted ? undefined : this.close()))
  }

  async #recordBatch({ messages }: Batch): Promise<void> {
    const { journal, sources } = this.#deps
    const records = messages.flatMap((message) => decodePublishedRecord(message) ?? [])
    const published = records.filter(({ source }) => sources.has(source))
    await journal.recordPublished(published, [])
  }
}
