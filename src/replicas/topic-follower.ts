/**
 * Follows what all replicas publish of the followed sources: records their event ids in the journal's index of duplicates, and
 * updates the watch list by their receipts.
 *
 * An added source is read from the start of its look-back window: items that were received before it are in no answer to a query.
 * Then one reader follows all sources. How far the topics were read for a source is kept in the journal as offsets, so that a
 * source that is assigned again is read from there, also what was received long before it was published.
 */
import type { Batch } from 'kafkajs'
import { orAborted, untilAborted } from '../core/abort.js'
import { type Clock, DAY_MS } from '../core/clock.js'
import type { Log } from '../core/log.js'
import type { FollowerObserver } from '../core/observers.js'
import { OutageLog } from '../core/outage-log.js'
import { Backoff } from '../core/retry.js'
import type { Journal, PublishedEvent, WatchChange } from '../journal/journal.js'
import { formatKafkaError } from '../kafka/kafka-errors.js'
import { CLOCK_SKEW_MS, decodePublishedRecord, DuplicatePublicationDetector } from './published-records.js'
import type { OpenReader, TopicReader } from './topic-reader.js'

type FollowedTopics = Pick<TopicReader, 'readToEnd' | 'progress' | 'close' | 'whileOpen'>

export interface FollowerDeps {
  readonly openReader: OpenReader<FollowedTopics>
  readonly journal: Pick<Journal, 'recordPublished' | 'topicProgress' | 'recordTopicProgress' | 'followedUpTo'>
  /** Returns how far back the answers of a source's queries can reach, in milliseconds. */
  readonly lookBackOf: (source: string) => number
  /** Whether no further receipt is expected after this one. */
  readonly isFinal: (value: Buffer) => Promise<boolean>
  readonly clock: Clock
  readonly log: Log
  readonly observer: FollowerObserver
}

const RETRY_DELAYS = { firstMs: 1_000, longestMs: 30_000 }
/** The first failure may be due to topics that are being created, so only the second is logged. */
const FAILURES_BEFORE_LOG = 2
const RECORD_PROGRESS_EVERY_MS = 30_000
/**
 * An earlier build stored the time up to which it had read, while the timestamp of a record was the time of publishing. Reading
 * goes on from so long before that time, because a record that other replicas publish since may have been received before it.
 */
const EARLIER_BUILD_OVERLAP_MS = DAY_MS

export class TopicFollower {
  readonly #deps: FollowerDeps
  readonly #duplicates = new DuplicatePublicationDetector()
  readonly #stopping = new AbortController()
  readonly #backoff = new Backoff(RETRY_DELAYS)
  readonly #outages: OutageLog
  #sources: ReadonlySet<string> = new Set()
  #reader: FollowedTopics | undefined
  /** Since when all sources have been followed without a break, in monotonic milliseconds. */
  #unbrokenSince: number | undefined
  #sourcesChanged = new AbortController()
  #running: Promise<void> = Promise.resolve()
  #failures = 0

  constructor(deps: FollowerDeps) {
    this.#deps = deps
    this.#outages = new OutageLog(
      {
        failureEvent: 'following-failed',
        recoveryEvent: 'following-recovered',
        formatFailure: (reason) =>
          `reconciliation waits, because what other replicas publish cannot be read: ${reason}`,
        recovery: 'what other replicas publish can be read again',
      },
      deps,
    )
  }

  start(): void {
    this.#running = this.#run()
  }

  async stop(): Promise<void> {
    this.#stopping.abort()
    this.#sourcesChanged.abort()
    await this.#running
  }

  /** Follows exactly these sources. */
  follow(sources: readonly string[]): void {
    const hasAdded = sources.some((source) => !this.#sources.has(source))
    this.#sources = new Set(sources)
    if (!hasAdded && sources.length > 0) return
    this.#unbrokenSince = undefined
    this.#sourcesChanged.abort()
  }

  /**
   * Returns for how many milliseconds everything that any replica published has been followed without a break. When this
   * resolves, everything that was committed when it was called is known. Undefined if that cannot be said at the moment.
   */
  async followedFor(): Promise<number | undefined> {
    const calledAt = this.#deps.clock.monotonic()
    const since = this.#unbrokenSince
    if (since === undefined || this.#reader === undefined) return undefined
    try {
      await this.#reader.readToEnd()
    } catch {
      return undefined
    }
    if (this.#unbrokenSince !== since) return undefined
    return calledAt - since
  }

  async #run(): Promise<void> {
    const { clock, observer } = this.#deps
    while (!this.#stopping.signal.aborted) {
      this.#sourcesChanged = new AbortController()
      try {
        if (this.#sources.size === 0) {
          observer.followingChanged({ state: 'idle', reason: null })
          await untilAborted(this.#sourcesChanged.signal)
        } else {
          await this.#followUntil(this.#sourcesChanged.signal, [...this.#sources])
        }
      } catch (error) {
        if (this.#stopping.signal.aborted) return
        const reason = formatKafkaError(error)
        observer.followingChanged({ state: 'waiting', reason })
        this.#failures++
        if (this.#failures >= FAILURES_BEFORE_LOG) this.#outages.failed(reason, reason)
        await clock.sleep(this.#backoff.next(), this.#stopping.signal)
      } finally {
        this.#unbrokenSince = undefined
      }
    }
  }

  async #followUntil(sourcesChanged: AbortSignal, sources: readonly string[]): Promise<void> {
    const { openReader, journal, clock, log, observer } = this.#deps
    const since = Math.min(...sources.map((source) => this.#windowStartOf(source)))
    // Nothing has been read for a source that was never followed.
    const readBefore = sources.map((source) => journal.topicProgress(source) ?? {})
    observer.followingChanged({ state: 'reading', reason: null })
    log.info(
      { event: 'following-started', sources: sources.length, since: new Date(since).toISOString() },
      'this replica reads what all replicas have published',
    )
    const startedAt = clock.monotonic()
    const reader = await openReader({ since, readBefore }, (batch) => this.#recordBatch(batch))
    this.#reader = reader
    try {
      if ((await orAborted(reader.readToEnd(), sourcesChanged)) === 'aborted') return
      this.#unbrokenSince = clock.monotonic()
      this.#failures = 0
      this.#outages.recovered()
      this.#backoff.reset()
      observer.followingChanged({ state: 'following', reason: null })
      log.info(
        { event: 'following-caught-up', seconds: Math.round((clock.monotonic() - startedAt) / 1_000) },
        'this replica has read everything that was published, and follows what all replicas publish',
      )
      while (!sourcesChanged.aborted) {
        await reader.readToEnd()
        // A source that was added meanwhile, or was removed and added again, has not been read completely yet.
        if (sourcesChanged.aborted) return
        const followed = sources.filter((source) => this.#sources.has(source))
        await journal.recordTopicProgress(followed, reader.progress())
        await reader.whileOpen(clock.sleep(RECORD_PROGRESS_EVERY_MS, sourcesChanged))
      }
    } finally {
      this.#reader = undefined
      await reader.close()
    }
  }

  /** Returns the time from which what was received of a source matters. */
  #windowStartOf(source: string): number {
    const { clock, lookBackOf, journal } = this.#deps
    const windowStart = clock.now() - lookBackOf(source)
    const followedUpTo = journal.topicProgress(source) === undefined ? journal.followedUpTo(source) : 0
    return Math.max(windowStart, followedUpTo - EARLIER_BUILD_OVERLAP_MS) - CLOCK_SKEW_MS
  }

  async #recordBatch(batch: Batch): Promise<void> {
    const published: PublishedEvent[] = []
    const watch: WatchChange[] = []
    for (const message of batch.messages) {
      const record = decodePublishedRecord(message)
      if (record === undefined || !this.#sources.has(record.source)) continue
      const { source, messageId, receivedAt } = record
      published.push(record)
      const place = `${batch.topic} ${batch.partition} ${message.offset}`
      const isDuplicate = this.#duplicates.isDuplicate(record.eventId, place)
      if (isDuplicate && this.#unbrokenSince !== undefined) this.#deps.observer.publishedTwice(source)
      if (messageId === null || message.value === null) continue
      const state = (await this.#deps.isFinal(message.value)) ? 'closed' : 'open'
      watch.push({ source, messageId, receivedAt, state })
    }
    await this.#deps.journal.recordPublished(published, watch)
  }
}
