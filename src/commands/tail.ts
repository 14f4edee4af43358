/**
 * `tail` shows the records of the topics, decoded by the registry: the last ones, those from a time on, all of them, and what is
 * added. It reads as a `read_committed` consumer without a group, and changes nothing.
 */
import { registrySettings, topicsOf } from '../app/publishing.js'
import { readConfiguration } from './configuration.js'
import type { Config } from '../config/types.js'
import { orAborted } from '../core/abort.js'
import { systemClock } from '../core/clock.js'
import {
  type CommittedRecordReader,
  mergeByTime,
  type PartitionOffset,
  type StoredRecord,
} from '../kafka/committed-record-reader.js'
import { RegistryClient } from '../registry/registry-client.js'
import { LineOutput, printMessage } from './output.js'
import { RecordDecoder, type TailRecord } from './record-decoder.js'
import { presentRecord, toJsonLine, toTextLine } from './record-format.js'
import { onTermination } from './signals.js'
import { openTopics } from './open-topics.js'
import { parseTailQuery, type TailOptions, type TailQuery } from './tail-query.js'

/**
 * @param topic `dlr`, `mo` or `dead-letter`; undefined for all
 * @returns 0 at the end of the topics, after SIGTERM or SIGINT, or when nobody reads the output any more
 * @throws ConnectorError USAGE, CONFIG_INVALID; KAFKA_UNREACHABLE, KAFKA_REFUSED, TOPIC_MISSING; REGISTRY_UNREACHABLE,
 *   REGISTRY_REFUSED
 */
export async function tail(topic: string | undefined, options: TailOptions): Promise<number> {
  const query = parseTailQuery(topic, options, systemClock.now(), () => config.records.mo.keySecret)
  const config = readConfiguration(options.config)
  const stop = new AbortController()
  const stopListening = onTermination(() => stop.abort())
  const output = new LineOutput(process.stdout)
  const registry = new RegistryClient(registrySettings(config))
  const show = async (record: TailRecord): Promise<void> => {
    const presented = presentRecord(record, query.personalData)
    await output.write(options.json ? toJsonLine(presented) : toTextLine(presented, query.personalData))
  }
  try {
    const shown = showRecords(config, query, registry, show, !options.json).then(() => output.flush())
    await orAborted(shown, AbortSignal.any([stop.signal, output.closedSignal]))
    return 0
  } finally {
    stopListening()
    await registry.close()
  }
}

async function showRecords(
  config: Config,
  query: TailQuery,
  registry: RegistryClient,
  show: (record: TailRecord) => Promise<void>,
  isForPeople: boolean,
): Promise<void> {
  const topics = query.kinds.map((kind) => topicsOf(config)[kind])
  const kinds = new Map(query.kinds.map((kind) => [topicsOf(config)[kind], kind]))
  const reader = await openTopics(config, topics)
  try {
    const tailer = new Tailer(reader, new RecordDecoder(registry, kinds), query, show)
    const count = await tailer.showStored(topics)
    if (count === 0 && isForPeople) printMessage(`no record to show on ${topics.join(', ')}`)
    if (query.follow) await tailer.follow()
  } finally {
    reader.close()
  }
}

/** The offsets of a partition that are read at once when the last records are searched, first and at most. */
const SEARCH_WINDOW = { first: 100, factor: 4, longest: 100_000 }

type RecordReader = Pick<CommittedRecordReader, 'offsets' | 'read' | 'follow'>

class Tailer {
  readonly #reader: RecordReader
  readonly #decoder: Pick<RecordDecoder, 'decode'>
  readonly #query: TailQuery
  readonly #show: (record: TailRecord) => Promise<void>
  /** Where `showStored` has ended and `follow` begins. */
  #ends: readonly PartitionOffset[] = []

  constructor(
    reader: RecordReader,
    decoder: Pick<RecordDecoder, 'decode'>,
    query: TailQuery,
    show: (record: TailRecord) => Promise<void>,
  ) {
    this.#reader = reader
    this.#decoder = decoder
    this.#query = query
    this.#show = show
  }

  /** Shows what is on the topics now. @returns the number of records */
  async showStored(topics: readonly string[]): Promise<number> {
    const { from, since, limit } = this.#query
    this.#ends = await this.#reader.offsets('latest')
    if (limit === 0) return 0
    const starts = await this.#reader.offsets(since ?? 'earliest')
    if (from === 'beginning' || limit === Infinity) return this.#showFirst(topics, starts)
    const lists: TailRecord[][] = []
    for (const topic of topics) lists.push(await this.#findLast(starts.filter((start) => start.topic === topic)))
    const records = mergeByTime(lists.flat())
    for (const record of records) await this.#show(record)
    return records.length
  }

  /** Shows what is published after `showStored` began. Never resolves. */
  async follow(): Promise<void> {
    for await (const stored of this.#reader.follow(this.#ends)) {
      const record = await this.#matching(stored)
      if (record !== undefined) await this.#show(record)
    }
  }

  async #showFirst(topics: readonly string[], starts: readonly PartitionOffset[]): Promise<number> {
    const { limit } = this.#query
    const counts = new Map(topics.map((topic) => [topic, 0]))
    const isComplete = (): boolean => [...counts.values()].every((count) => count >= limit)
    const ranges = starts.map((start) => ({ ...start, from: start.offset, to: this.#endOf(start) }))
    for await (const stored of this.#reader.read(ranges)) {
      const count = counts.get(stored.topic) ?? 0
      if (count >= limit) continue
      const record = await this.#matching(stored)
      if (record === undefined) continue
      await this.#show(record)
      counts.set(stored.topic, count + 1)
      if (isComplete()) break
    }
    return [...counts.values()].reduce((sum, count) => sum + count, 0)
  }

  /** Returns the last records of a topic, oldest first. */
  async #findLast(starts: readonly PartitionOffset[]): Promise<TailRecord[]> {
    const { limit } = this.#query
    // Each of the last records of the topic is one of the last records of its partition.
    const found: TailRecord[][] = []
    for (const start of starts) found.push(await this.#findLastOfPartition(start))
    return mergeByTime(found.flat()).slice(-limit)
  }

  /** Reads windows backwards from the end, each longer than the one before, until enough records are found. */
  async #findLastOfPartition(start: PartitionOffset): Promise<TailRecord[]> {
    const { limit } = this.#query
    let records: TailRecord[] = []
    let to = this.#endOf(start)
    let length = Math.max(SEARCH_WINDOW.first, 2 * limit)
    while (to > start.offset && records.length < limit) {
      const from = Math.max(start.offset, to - length)
      const found: TailRecord[] = []
      for await (const stored of this.#reader.read([{ ...start, from, to }])) {
        const record = await this.#matching(stored)
        if (record === undefined) continue
        found.push(record)
        if (found.length > limit) found.shift()
      }
      records = [...found, ...records].slice(-limit)
      to = from
      length = Math.min(length * SEARCH_WINDOW.factor, SEARCH_WINDOW.longest)
    }
    return records
  }

  #endOf({ topic, partition }: PartitionOffset): number {
    return this.#ends.find((end) => end.topic === topic && end.partition === partition)?.offset ?? 0
  }

  async #matching(stored: StoredRecord): Promise<TailRecord | undefined> {
    const { since, isMatch } = this.#query
    if (since !== undefined && stored.timestamp < since) return undefined
    const record = await this.#decoder.decode(stored)
    return isMatch(record) ? record : undefined
  }
}
