/**
 * Messages that are watched here for a source that another replica reconciles: they are sent to that replica, and
 * forgotten here once the broker has them. `POST /sources/<source>/watch` may reach any replica, and a replica that has
 * lost a source still has its list.
 *
 * Sent again where the outcome is unknown: a message that is on a list already changes nothing.
 */
import type { ICustomPartitioner, Producer } from 'kafkajs'
import type { Clock } from '../core/clock.js'
import type { Journal } from '../journal/journal.js'
import type { Assignment } from './assignment.js'
import { partitionOf } from './assignment.js'
import type { Log } from '../core/log.js'
import type { Client } from './deps.js'
import { MOST_IN_A_NOTE, readNote, writeNote } from './watch-note.js'

export interface WatchRelayDeps {
  readonly topic: string
  /** That are reconciled at all. */
  readonly sources: readonly string[]
  readonly journal: Pick<Journal, 'watchList' | 'recordPublished'>
  readonly client: () => Client
  /** The word of the group, while it holds; and what it says of a source. */
  readonly assignment: () => Assignment | undefined
  readonly owns: (source: string) => boolean
  readonly explain: (error: unknown) => string
  readonly clock: Clock
  readonly log: Log
}

/** Each record names its partition. */
const AS_TOLD: ICustomPartitioner =
  () =>
  ({ message }) =>
    message.partition ?? 0
/** Ms between looks at the lists, and between attempts. */
const LOOK_EVERY = 5_000
const RETRY_AFTER = 30_000

export class WatchRelay {
  readonly #deps: WatchRelayDeps
  readonly #stopping = new AbortController()
  #poked = new AbortController()
  #running: Promise<void> = Promise.resolve()
  #failing = false

  constructor(deps: WatchRelayDeps) {
    this.#deps = deps
  }

  start(): void {
    this.#running = this.#run()
  }

  async stop(): Promise<void> {
    this.#stopping.abort()
    this.#poked.abort()
    await this.#running
  }

  /** Something was put on a list. */
  poke(): void {
    this.#poked.abort()
  }

  /** A record of the sharing topic: put on our list, durably. */
  async receive(value: Buffer | null): Promise<void> {
    const note = readNote({ value })
    if (note === undefined || !this.#deps.sources.includes(note.source)) return
    const { source, watched } = note
    const open = watched.map(({ messageId, since }) => ({
      source,
      messageId,
      receivedAt: since,
      state: 'open' as const,
    }))
    await this.#deps.journal.recordPublished([], open)
  }

  async #run(): Promise<void> {
    const { clock, log, explain } = this.#deps
    while (!this.#stopping.signal.aborted) {
      this.#poked = new AbortController()
      const wake = AbortSignal.any([this.#poked.signal, this.#stopping.signal])
      try {
        await this.#relayAll()
        this.#failing = false
        await clock.sleep(LOOK_EVERY, wake)
      } catch (error) {
        if (!this.#failing)
          log.warn({}, `watch requests can't be handed to the replica that reconciles: ${explain(error)}`)
        this.#failing = true
        await clock.sleep(RETRY_AFTER, this.#stopping.signal)
      }
    }
  }

  async #relayAll(): Promise<void> {
    const { sources, journal } = this.#deps
    const foreign = sources.filter(
      (source) => !this.#isOurs(source) && first(journal.watchList.list(source)) !== undefined,
    )
    if (foreign.length === 0) return
    const client = this.#deps.client()
    const cut = (): void => client.destroy()
    this.#stopping.signal.addEventListener('abort', cut)
    const producer = client.kafka.producer({ allowAutoTopicCreation: false, createPartitioner: AS_TOLD })
    try {
      await producer.connect()
      for (const source of foreign) await this.#relay(source, producer)
      await producer.disconnect()
    } finally {
      this.#stopping.signal.removeEventListener('abort', cut)
      client.destroy()
    }
  }

  async #relay(source: string, producer: Producer): Promise<void> {
    const { topic, journal, assignment, log } = this.#deps
    const { watchList } = journal
    let sent = 0
    while (!this.#isOurs(source) && !this.#stopping.signal.aborted) {
      const watched = firstOf(watchList.list(source), MOST_IN_A_NOTE)
      const partitions = assignment()?.partitions
      if (watched.length === 0 || partitions === undefined) break
      const message = { partition: partitionOf(source, partitions), value: writeNote({ source, watched }) }
      await producer.send({ topic, messages: [message], acks: -1 })
      await watchList.remove(
        source,
        watched.map(({ messageId }) => messageId),
      )
      sent += watched.length
    }
    if (sent > 0) log.info({ source, messages: sent }, 'messages to watch were handed to the replica that reconciles')
  }

  /** Also while nobody knows whose it is. */
  #isOurs(source: string): boolean {
    return this.#deps.assignment() === undefined || this.#deps.owns(source)
  }
}

const first = <T>(list: Iterable<T>): T | undefined => firstOf(list, 1)[0]

const firstOf = <T>(list: Iterable<T>, most: number): T[] => {
  const found: T[] = []
  for (const each of list) {
    if (found.length >= most) break
    found.push(each)
  }
  return found
}
