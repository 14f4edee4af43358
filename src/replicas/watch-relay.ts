/**
 * Sends watched messages to the replica that reconciles their source, and removes them from this replica's watch list once the broker
 * has them. `POST /sources/<source>/watch` may reach any replica, and a replica that has lost a source still has its list.
 *
 * If the outcome of a send is unknown, it is repeated: adding a message that is on a list already changes nothing.
 */
import type { ICustomPartitioner, KafkaMessage, Producer } from 'kafkajs'
import type { Clock } from '../core/clock.js'
import { parseJsonObject } from '../core/json.js'
import type { Log } from '../core/log.js'
import { OutageLog } from '../core/outage-log.js'
import type { Journal, WatchedMessage } from '../journal/journal.js'
import { formatKafkaError } from '../kafka/kafka-errors.js'
import type { ConsumerClient } from './consumer-session.js'
import { type Ownership, partitionOf } from './ownership.js'

export interface WatchRelayDeps {
  readonly topic: string
  /** The reconciled sources. They change with the configuration. */
  readonly sources: ReadonlySet<string>
  readonly journal: Pick<Journal, 'watchList' | 'recordPublished'>
  readonly createClient: () => ConsumerClient
  readonly ownership: Pick<Ownership, 'assignment' | 'owns'>
  readonly clock: Clock
  readonly log: Log
}

/** Each message names its partition. */
const useGivenPartition: ICustomPartitioner =
  () =>
  ({ message }) =>
    message.partition ?? 0
const RELAY_INTERVAL_MS = 5_000
const RETRY_DELAY_MS = 30_000
/** A message takes some 300 bytes at most. */
const MAX_MESSAGES_PER_RECORD = 1_000

/** A record of the sharing topic that carries messages to watch to the replica that reconciles their source. */
interface WatchRequestRecord {
  readonly source: string
  readonly watched: readonly Pick<WatchedMessage, 'messageId' | 'since'>[]
}

export class WatchRelay {
  readonly #deps: WatchRelayDeps
  readonly #stopping = new AbortController()
  #woken = new AbortController()
  #running: Promise<void> = Promise.resolve()
  readonly #outages: OutageLog

  constructor(deps: WatchRelayDeps) {
    this.#deps = deps
    this.#outages = new OutageLog(
      {
        failureEvent: 'watch-relay-failed',
        recoveryEvent: 'watch-relay-recovered',
        formatFailure: (reason) =>
          `watch requests cannot be sent to the replica that reconciles their source, and are sent again later: ${reason}`,
        recovery: 'watch requests reach the replica that reconciles their source again',
      },
      deps,
    )
  }

  start(): void {
    this.#running = this.#run()
  }

  async stop(): Promise<void> {
    this.#stopping.abort()
    this.#woken.abort()
    await this.#running
  }

  /** Relays at once, because messages were added to a watch list. */
  wake(): void {
    this.#woken.abort()
  }

  /** Adds the messages of a record of the sharing topic to this replica's watch list. Resolves once they are durable. */
  async receive(value: Buffer | null): Promise<void> {
    const record = decodeWatchRequestRecord({ value })
    if (record === undefined || !this.#deps.sources.has(record.source)) return
    const { source, watched } = record
    const added = watched.map(({ messageId, since }) => ({
      source,
      messageId,
      receivedAt: since,
      state: 'open' as const,
    }))
    await this.#deps.journal.recordPublished([], added)
  }

  async #run(): Promise<void> {
    const { clock } = this.#deps
    while (!this.#stopping.signal.aborted) {
      this.#woken = new AbortController()
      const wakeSignal = AbortSignal.any([this.#woken.signal, this.#stopping.signal])
      try {
        await this.#relayAll()
        this.#outages.recovered()
        await clock.sleep(RELAY_INTERVAL_MS, wakeSignal)
      } catch (error) {
        const reason = formatKafkaError(error)
        this.#outages.failed(reason, reason)
        await clock.sleep(RETRY_DELAY_MS, this.#stopping.signal)
      }
    }
  }

  async #relayAll(): Promise<void> {
    const { sources } = this.#deps
    const toRelay = [...sources].filter(
      (source) => !this.#isOwnedHere(source) && this.#nextWatched(source, 1).length > 0,
    )
    if (toRelay.length === 0) return
    const client = this.#deps.createClient()
    const destroyClient = (): void => client.destroy()
    this.#stopping.signal.addEventListener('abort', destroyClient)
    const producer = client.kafka.producer({ allowAutoTopicCreation: false, createPartitioner: useGivenPartition })
    try {
      await producer.connect()
      for (const source of toRelay) await this.#relay(source, producer)
      await producer.disconnect()
    } finally {
      this.#stopping.signal.removeEventListener('abort', destroyClient)
      client.destroy()
    }
  }

  async #relay(source: string, producer: Producer): Promise<void> {
    const { topic, journal, ownership, log } = this.#deps
    let sent = 0
    while (!this.#isOwnedHere(source) && !this.#stopping.signal.aborted) {
      const watched = this.#nextWatched(source, MAX_MESSAGES_PER_RECORD)
      const partitions = ownership.assignment?.partitions
      if (watched.length === 0 || partitions === undefined) break
      const message = {
        partition: partitionOf(source, partitions),
        value: encodeWatchRequestRecord({ source, watched }),
      }
      await producer.send({ topic, messages: [message], acks: -1 })
      const messageIds = watched.map(({ messageId }) => messageId)
      await journal.watchList.remove(source, messageIds)
      sent += watched.length
    }
    if (sent > 0) {
      log.info(
        { event: 'watch-relayed', source, messages: sent },
        'watched messages were sent to the replica that reconciles their source',
      )
    }
  }

  /** While no assignment is known, nothing is relayed: the source counts as owned here. */
  #isOwnedHere(source: string): boolean {
    const { ownership } = this.#deps
    return ownership.assignment === undefined || ownership.owns(source)
  }

  #nextWatched(source: string, max: number): WatchedMessage[] {
    const found: WatchedMessage[] = []
    for (const message of this.#deps.journal.watchList.list(source)) {
      if (found.length >= max) break
      found.push(message)
    }
    return found
  }
}

/**
 * Returns the value of the record as JSON: `{"source": "…", "watch": [["<message id>", <milliseconds since the epoch>], …]}`. The record has no key,
 * so that a compacted topic refuses it instead of dropping it.
 */
export const encodeWatchRequestRecord = ({ source, watched }: WatchRequestRecord): string =>
  JSON.stringify({ source, watch: watched.map(({ messageId, since }) => [messageId, since]) })

/** @returns undefined for a record that is not a watch request */
export function decodeWatchRequestRecord({ value }: Pick<KafkaMessage, 'value'>): WatchRequestRecord | undefined {
  const { source, watch } = parseJsonObject(String(value)) ?? {}
  if (typeof source !== 'string' || !Array.isArray(watch)) return undefined
  const watched = watch.flatMap((each: unknown) => {
    const [messageId, since] = Array.isArray(each) ? (each as unknown[]) : []
    return typeof messageId === 'string' && typeof since === 'number' ? [{ messageId, since }] : []
  })
  return { source, watched }
}
