/**
 * What waited here before it could be published may have been published by another replica meanwhile: the one that
 * reconciles its source asked the provider for what it missed. So before old entries are published, the topics are read
 * up to now from the time on at which they came. What comes and goes promptly costs nothing.
 */
import type { Batch } from 'kafkajs'
import type { Clock } from '../core/clock.js'
import type { Entry, PublishedEvent } from '../journal/journal.js'
import { orAborted } from '../core/abort.js'
import type { Log } from '../core/log.js'
import { SKEW } from './deps.js'
import { readPublished } from './published-record.js'
import type { TopicReader } from './topic-reader.js'

type Reading = Pick<TopicReader, 'reach' | 'close'>

export interface BacklogDeps {
  /** That are reconciled: all others can reach one replica only. */
  readonly sources: ReadonlySet<string>
  /** Age, in ms, from which on an entry counts as old. */
  readonly old: number
  readonly open: (since: number, take: (batch: Batch) => Promise<void>) => Promise<Reading>
  readonly remember: (published: readonly PublishedEvent[]) => Promise<void>
  /** Whether reading is refused, so that waiting won't help. */
  readonly isRefusal: (error: unknown) => boolean
  readonly explain: (error: unknown) => string
  readonly clock: Clock
  readonly log: Log
}

/** Ms for which what was read is fresh enough, and after which the reader is let go of. */
const FRESH = 3_000
const IDLE = 30_000
/** Ms for which a refusal is taken for granted. */
const REFUSED = 300_000

export class Backlog {
  readonly #deps: BacklogDeps
  #reader: { readonly since: number; readonly reading: Reading } | undefined
  #knownAt = -Infinity
  #refusedAt = -Infinity
  #idle = new AbortController()

  constructor(deps: BacklogDeps) {
    this.#deps = deps
  }

  /**
   * Resolves when what any replica has published of these entries is known to the journal, or when the signal aborts.
   * @throws what kafkajs throws, while the topics can't be read
   */
  async check(entries: readonly Pick<Entry, 'source' | 'receivedAt'>[], signal: AbortSignal): Promise<void> {
    const { sources, old, clock, log, isRefusal, explain } = this.#deps
    const horizon = clock.now() - old
    const times = entries.flatMap(({ source, receivedAt }) =>
      receivedAt < horizon && sources.has(source) ? [receivedAt] : [],
    )
    if (times.length === 0 || clock.monotonic() - this.#refusedAt < REFUSED) return
    try {
      const oldest = times.reduce((least, time) => Math.min(least, time))
      await orAborted(this.#read(oldest), signal)
    } catch (error) {
      await this.close()
      if (!isRefusal(error)) throw error
      this.#refusedAt = clock.monotonic()
      log.warn({}, `old entries are published unseen, the topics can't be read: ${explain(error)}`)
    }
  }

  async close(): Promise<void> {
    this.#idle.abort()
    const reader = this.#reader
    this.#reader = undefined
    this.#knownAt = -Infinity
    await reader?.reading.close()
  }

  async #read(oldest: number): Promise<void> {
    const { clock, open, log } = this.#deps
    this.#idle.abort()
    if (this.#reader !== undefined && this.#reader.since > oldest - SKEW) await this.close()
    if (this.#reader === undefined) {
      const since = oldest - SKEW
      log.info({ oldest: new Date(oldest).toISOString() }, 'entries waited: reading first what others have published')
      this.#reader = { since, reading: await open(since, (batch) => this.#take(batch)) }
    }
    if (clock.monotonic() - this.#knownAt >= FRESH) {
      const asked = clock.monotonic()
      await this.#reader.reading.reach()
      this.#knownAt = asked
    }
    this.#idle = new AbortController()
    const { signal } = this.#idle
    void clock.sleep(IDLE, signal).then(() => (signal.aborted ? undefined : this.close()))
  }

  async #take({ messages }: Batch): Promise<void> {
    const records = messages.flatMap((message) => readPublished(message) ?? [])
    await this.#deps.remember(records.filter(({ source }) => this.#deps.sources.has(source)))
  }
}
