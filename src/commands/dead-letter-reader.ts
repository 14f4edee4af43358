/**
 * Reads dead letters and the marks of their replays from their topics, as a `read_committed` consumer without a group.
 *
 * A dead letter with a large body has several parts, which need not be next to each other. Only their offsets are kept until all of
 * them are found, so that one body at a time is in memory.
 */
import { kafkaSettings, registrySettings, topicsOf } from '../app/publishing.js'
import type { Config } from '../config/types.js'
import type { Via } from '../core/event.js'
import { hasCode } from '../core/errors.js'
import { parseMark } from '../encode/replay-marks.js'
import type { CommittedRecordReader, PartitionOffset, StoredRecord } from '../kafka/committed-record-reader.js'
import { RegistryClient } from '../registry/registry-client.js'
import { openTopics } from './open-topics.js'
import { RecordDecoder, type TailRecord } from './record-decoder.js'

/** What a dead letter says of itself. */
export interface DeadLetterSummary {
  readonly eventId: string
  readonly source: string
  readonly provider: string
  readonly via: Via
  /** Milliseconds since the epoch. */
  readonly receivedAt: number
  readonly reason: string
  readonly detail: string
  readonly request: Readonly<Record<string, string>>
}

export interface DeadLetterFilter {
  /** Dead letters that were received earlier are left out. Milliseconds since the epoch; undefined for no limit. */
  readonly since: number | undefined
  /** Only this one, which is searched no further once it is found. */
  readonly eventId: string | undefined
  readonly isMatch: (letter: DeadLetterSummary) => boolean
}

/** A dead letter with the places of its parts. */
export interface StoredDeadLetter extends DeadLetterSummary {
  readonly parts: number
  /** The numbers of the parts that are not on the topic, counted from 1. */
  readonly missingParts: readonly number[]
  /** Bytes of body in the parts that are on the topic. */
  readonly bytes: number
  /** In the order of the parts. */
  readonly places: readonly PartitionOffset[]
  /** The body of a dead letter of one part, whose record holds it anyway. */
  readonly body?: Uint8Array
}

/** What the marks say of a dead letter. */
export interface ReplayState {
  /** When the mark that closes it was written, in milliseconds since the epoch; undefined while it is open. */
  readonly closedAt?: number
  /** The places of its items that are on their topics. */
  readonly publishedPlaces: ReadonlySet<string>
}

export type ReplayStates = ReadonlyMap<string, ReplayState>

export const NOT_REPLAYED: ReplayState = { publishedPlaces: new Set() }

export class DeadLetterReader {
  readonly topic: string
  readonly replaysTopic: string
  readonly #config: Config
  readonly #reader: CommittedRecordReader
  readonly #registry: RegistryClient
  readonly #decoder: RecordDecoder
  readonly #onUnreadable: (record: TailRecord) => void

  /**
   * @param onUnreadable is called for each record that can't be decoded, with its problem
   * @throws ConnectorError KAFKA_UNREACHABLE, KAFKA_REFUSED, TOPIC_MISSING
   */
  static async open(config: Config, onUnreadable: (record: TailRecord) => void): Promise<DeadLetterReader> {
    return new DeadLetterReader(config, await openTopics(config, [topicsOf(config)['dead-letter']]), onUnreadable)
  }

  private constructor(config: Config, reader: CommittedRecordReader, onUnreadable: (record: TailRecord) => void) {
    this.topic = topicsOf(config)['dead-letter']
    this.replaysTopic = kafkaSettings(config).topics.deadLetterReplays
    this.#config = config
    this.#reader = reader
    this.#registry = new RegistryClient(registrySettings(config))
    this.#decoder = new RecordDecoder(this.#registry, new Map([[this.topic, 'dead-letter']]))
    this.#onUnreadable = onUnreadable
  }

  async close(): Promise<void> {
    this.#reader.close()
    await this.#registry.close()
  }

  /**
   * Reads every mark up to the end of the topic.
   * @returns undefined if the topic does not exist
   * @throws ConnectorError KAFKA_UNREACHABLE, KAFKA_REFUSED
   */
  async readReplayStates(): Promise<ReplayStates | undefined> {
    let reader: CommittedRecordReader
    try {
      reader = await openTopics(this.#config, [this.replaysTopic])
    } catch (error) {
      if (hasCode(error, 'TOPIC_MISSING')) return undefined
      throw error
    }
    try {
      const states = new Map<string, { closedAt?: number; readonly publishedPlaces: Set<string> }>()
      for await (const { value } of reader.read(await rangesOf(reader, 'earliest'))) {
        const mark = value === null ? undefined : parseMark(value.toString())
        if (mark === undefined) continue
        const state = states.get(mark.deadLetter) ?? { publishedPlaces: new Set<string>() }
        states.set(mark.deadLetter, state)
        if ('place' in mark && typeof mark.place === 'string') state.publishedPlaces.add(mark.place)
        else state.closedAt = mark.at
      }
      return states
    } finally {
      reader.close()
    }
  }

  /**
   * Finds the dead letters that match, in the order in which their last parts are found. Those with missing parts come last.
   * @throws ConnectorError KAFKA_UNREACHABLE, KAFKA_REFUSED, REGISTRY_UNREACHABLE, REGISTRY_REFUSED
   */
  async *find({ since, eventId, isMatch }: DeadLetterFilter): AsyncGenerator<StoredDeadLetter> {
    const assembler = new PartAssembler()
    for await (const stored of this.#reader.read(await rangesOf(this.#reader, since ?? 'earliest'))) {
      if (eventId !== undefined && isOtherEvent(stored, eventId)) continue
      const part = await this.#readPart(stored)
      if (part === undefined || !isMatch(part)) continue
      const letter = assembler.add(part)
      if (letter === undefined) continue
      yield letter
      if (eventId !== undefined) return
    }
    yield* assembler.incomplete()
  }

  /**
   * Joins the parts that were found.
   * @returns undefined if one of them is not on the topic any more
   */
  async readBody({ body, places }: StoredDeadLetter): Promise<Uint8Array | undefined> {
    if (body !== undefined) return body
    const bodies: Uint8Array[] = []
    for (const { offset, ...partition } of places) {
      for await (const stored of this.#reader.read([{ ...partition, from: offset, to: offset + 1 }])) {
        const part = await this.#readPart(stored)
        if (part !== undefined) bodies.push(part.body)
      }
    }
    return bodies.length === places.length ? Buffer.concat(bodies) : undefined
  }

  async #readPart(stored: StoredRecord): Promise<DeadLetterPart | undefined> {
    if (stored.value === null) return undefined
    const record = await this.#decoder.decode(stored)
    const part = toPart(record)
    if (part === undefined) this.#onUnreadable(record)
    return part
  }
}

/** The committed records from a place on. */
async function rangesOf(reader: CommittedRecordReader, from: 'earliest' | number) {
  const ends = await reader.offsets('latest')
  const starts = await reader.offsets(from)
  return starts.map(({ offset, ...partition }) => ({
    ...partition,
    from: offset,
    to: ends.find((end) => end.partition === partition.partition)?.offset ?? 0,
  }))
}

/** Tells by a header, without decoding, that a record belongs to another event. The parts have ids like `<event id>/1`. */
function isOtherEvent({ headers }: StoredRecord, eventId: string): boolean {
  const id = headers['ce_id']
  return id !== undefined && id !== eventId && !id.startsWith(`${eventId}/`)
}

/** One record of a dead letter. */
export interface DeadLetterPart extends DeadLetterSummary {
  readonly part: number
  readonly parts: number
  readonly body: Uint8Array
  readonly place: PartitionOffset
}

/** @returns undefined for a record that is no dead letter */
function toPart({ topic, partition, offset, value }: TailRecord): DeadLetterPart | undefined {
  if (value === undefined) return undefined
  const { eventId, source, provider, via, receivedAt, reason, detail, request, body } = value
  const part = Number(value['part'] ?? 0)
  const parts = Number(value['parts'] ?? 1)
  if (typeof eventId !== 'string' || !(body instanceof Uint8Array) || !(part >= 0 && part < parts)) return undefined
  return {
    eventId,
    source: String(source),
    provider: String(provider),
    via: String(via) as Via,
    receivedAt: Number(receivedAt),
    reason: String(reason),
    detail: String(detail),
    request: { ...(request as Readonly<Record<string, string>>) },
    part,
    parts,
    body,
    place: { topic, partition, offset },
  }
}

/** Collects the parts of dead letters, without their bodies, until none is missing. */
export class PartAssembler {
  /** A dead letter that an interrupted connector published again may be divided in another way. */
  readonly #pending = new Map<string, Map<number, CollectedPart>>()

  /** @returns the dead letter, once this was its last missing part */
  add(part: DeadLetterPart): StoredDeadLetter | undefined {
    if (part.parts === 1) {
      this.#forget(part.eventId)
      return { ...toLetter(new Map([[0, withoutBody(part)]])), body: part.body }
    }
    const key = `${part.eventId} ${part.parts}`
    const collected = this.#pending.get(key) ?? new Map<number, CollectedPart>()
    collected.set(part.part, withoutBody(part))
    this.#pending.set(key, collected)
    if (collected.size < part.parts) return undefined
    this.#forget(part.eventId)
    return toLetter(collected)
  }

  /** Forgets the parts of a dead letter that is complete, also those of an earlier publication with another division. */
  #forget(eventId: string): void {
    for (const key of this.#pending.keys()) if (key.startsWith(`${eventId} `)) this.#pending.delete(key)
  }

  /** The dead letters whose parts were not all found. */
  incomplete(): StoredDeadLetter[] {
    return [...this.#pending.values()].map(toLetter)
  }
}

type CollectedPart = Omit<DeadLetterPart, 'body'> & { readonly bytes: number }

const withoutBody = ({ body, ...part }: DeadLetterPart): CollectedPart => ({ ...part, bytes: body.byteLength })

function toLetter(collected: ReadonlyMap<number, CollectedPart>): StoredDeadLetter {
  const found = [...collected.values()].sort((one, other) => one.part - other.part)
  const { eventId, source, provider, via, receivedAt, reason, detail, request, parts } = found[0]!
  const numbers = Array.from({ length: parts }, (_, index) => index)
  return {
    ...{ eventId, source, provider, via, receivedAt, reason, detail, request, parts },
    missingParts: numbers.filter((number) => !collected.has(number)).map((number) => number + 1),
    bytes: found.reduce((sum, { bytes }) => sum + bytes, 0),
    places: found.map(({ place }) => place),
  }
}
