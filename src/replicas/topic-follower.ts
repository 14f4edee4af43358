/**
 * Knows what all replicas together have published of the sources that are followed: reads the topics into the index of
 * duplicates, and keeps their watch list by the receipts that it meets.
 *
 * A source that is added is read from its window on; then all of them are followed by one reader. How far a source was
 * followed is kept in the journal, so that one that comes back is read from there.
 */
import type { Batch } from 'kafkajs'
import type { FollowerObserver } from '../core/observers.js'
import type { Clock } from '../core/clock.js'
import type { PublishedEvent, TopicProgress, WatchChange } from '../journal/journal.js'
import { orAborted, untilAborted } from '../core/abort.js'
import { DuplicateDetector } from './duplicate-detector.js'
import type { Log } from '../core/log.js'
import { SKEW } from './deps.js'
import { readPublished } from './published-record.js'
import type { TopicReader } from './topic-reader.js'

export interface FollowerDeps {
  /** @param since ms since the epoch */
  readonly open: (
    since: number,
    take: (batch: Batch) => Promise<void>,
  ) => Promise<Pick<TopicReader, 'reach' | 'close' | 'during'>>
  readonly remember: (published: readonly PublishedEvent[], watch: readonly WatchChange[]) => Promise<void>
  readonly progress: TopicProgress
  /** How far back a source's queries can reach; ms. */
  readonly lookBackOf: (source: string) => number
  /** Whether no further receipt is to be expected after this one. */
  readonly isFinal: (value: Buffer) => Promise<boolean>
  readonly explain: (error: unknown) => string
  readonly clock: Clock
  readonly log: Log
  readonly observer: FollowerObserver
}

const RETRY = { first: 1_000, longest: 30_000 }
/** Ms between two notes of how far we are. */
const NOTE_EVERY = 30_000

export class TopicFollower {
  readonly #deps: FollowerDeps
  readonly #doubles = new DuplicateDetector()
  readonly #stopping = new AbortController()
  readonly #sources = new Set<string>()
  #reader: Pick<TopicReader, 'reach' | 'close' | 'during'> | undefined
  /** Of the sources: since when all of them have been followed without a break, in monotonic ms. */
  #unbrokenSince: number | undefined
  #changed = new AbortController()
  #running: Promise<void> = Promise.resolve()
  #failures = 0

  constructor(deps: FollowerDeps) {
    this.#deps = deps
  }

  start(): void {
    this.#running = this.#run()
  }

  async stop(): Promise<void> {
    this.#stopping.abort()
    this.#changed.abort()
    await this.#running
  }

  /** These, and no others. */
  follow(sources: readonly string[]): void {
    const added = sources.filter((source) => !this.#sources.has(source))
    for (const source of [...this.#sources]) if (!sources.includes(source)) this.#sources.delete(source)
    for (const source of added) this.#sources.add(source)
    if (added.length === 0 && this.#sources.size > 0) return
    this.#unbrokenSince = undefined
    this.#changed.abort()
  }

  /**
   * Ms for which everything that any replica published has been followed without a break, as of now: all that was
   * committed when this was called is known when it resolves. Undefined while it can't be said.
   */
  async followedFor(): Promise<number | undefined> {
    const asked = this.#deps.clock.monotonic()
    const since = this.#unbrokenSince
    if (since === undefined || this.#reader === undefined) return undefined
    try {
      await this.#reader.reach()
    } catch {
      return undefined
    }
    if (this.#unbrokenSince !== since) return undefined
    return asked - since
  }

  async #run(): Promise<void> {
    const { clock, log, explain, observer } = this.#deps
    let delay = RETRY.first
    while (!this.#stopping.signal.aborted) {
      this.#changed = new AbortController()
      try {
        if (this.#sources.size === 0) {
          observer.followingChanged('idle', null)
          await untilAborted(this.#changed.signal)
        } else {
          await this.#follow([...this.#sources], this.#changed.signal, () => (delay = RETRY.first))
        }
      } catch (error) {
        if (this.#stopping.signal.aborted) return
        const reason = explain(error)
        observer.followingChanged('waiting', reason)
        // The first time it may be that topics have just been made.
        if (++this.#failures === 2) {
          log.warn({}, `reconciling waits: what other replicas publish can't be read: ${reason}`)
        }
        await clock.sleep(delay, this.#stopping.signal)
        delay = Math.min(delay * 2, RETRY.longest)
      } finally {
        this.#unbrokenSince = undefined
      }
    }
  }

  /** Until the sources change. */
  async #follow(sources: readonly string[], changed: AbortSignal, well: () => void): Promise<void> {
    const { open, clock, log, observer } = this.#deps
    const since = Math.min(...sources.map((source) => this.#sinceOf(source)))
    observer.followingChanged('reading', null)
    log.info({ sources: sources.length, since: new Date(since).toISOString() }, 'reading what all replicas published')
    const began = clock.monotonic()
    const reader = await open(since, (batch) => this.#take(batch))
    this.#reader = reader
    try {
      if ((await orAborted(reader.reach(), changed)) === 'aborted') return
      this.#unbrokenSince = clock.monotonic()
      this.#failures = 0
      well()
      observer.followingChanged('following', null)
      log.info({ seconds: Math.round((clock.monotonic() - began) / 1_000) }, 'following what all replicas publish')
      while (!changed.aborted) {
        const upTo = clock.now()
        await reader.reach()
        for (const source of this.#sources) await this.#deps.progress.recordFollowedUpTo(source, upTo)
        await reader.during(clock.sleep(NOTE_EVERY, changed))
      }
    } finally {
      this.#reader = undefined
      await reader.close()
    }
  }

  #sinceOf(source: string): number {
    const { clock, lookBackOf, progress } = this.#deps
    return Math.max(clock.now() - lookBackOf(source), progress.followedUpTo(source)) - SKEW
  }

  async #take(batch: Batch): Promise<void> {
    const published: PublishedEvent[] = []
    const watch: WatchChange[] = []
    for (const message of batch.messages) {
      const record = readPublished(message)
      if (record === undefined || !this.#sources.has(record.source)) continue
      const { source, messageId, receivedAt } = record
      published.push(record)
      const twice = this.#doubles.isDuplicate(record.eventId, `${batch.topic} ${batch.partition} ${message.offset}`)
      if (twice && this.#unbrokenSince !== undefined) this.#deps.observer.publishedTwice(source)
      if (messageId === null || message.value === null) continue
      const state = (await this.#deps.isFinal(message.value)) ? 'closed' : 'open'
      watch.push({ source, messageId, receivedAt, state })
    }
    await this.#deps.remember(published, watch)
  }
}
