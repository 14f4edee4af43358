/** Reads the records of the three topics, decoded with the schemas of this repository. */
import { readFileSync } from 'node:fs'
import avro from 'avsc'
import { CommittedReader, type CommittedRecord } from '../kafka/committed-reader.js'
import { retryFor } from '../wait.js'

/** The names of the three topics, by what they carry. */
export interface Topics {
  readonly dlr: string
  readonly mo: string
  readonly deadLetter: string
}

export type TopicKind = keyof Topics

export const kindOfTopic = (topics: Topics, topic: string): TopicKind | undefined =>
  (Object.keys(topics) as TopicKind[]).find((kind) => topics[kind] === topic)

/** A record as a consumer receives it. */
export interface TopicRecord extends Omit<CommittedRecord, 'value'> {
  readonly value: Readonly<Record<string, unknown>>
}

export interface TopicReaderOptions {
  readonly brokers: readonly string[]
  readonly topics: Topics
  /** The registry that must hold the schemas of this repository under the ids that the records carry. */
  readonly registryUrl: string
}

const SCHEMA_FILES: Readonly<Record<TopicKind, string>> = {
  dlr: 'delivery-receipt.avsc',
  mo: 'inbound-message.avsc',
  deadLetter: 'dead-letter.avsc',
}
const REGISTRY_TIMEOUT_MS = 10_000

/** The first byte of a record, and the length of the header that it begins, in the wire format of Confluent. */
const MAGIC_BYTE = 0
const WIRE_HEADER_BYTES = 5

export class TopicReader {
  readonly #options: TopicReaderOptions
  readonly #reader: CommittedReader
  readonly #types = new Map<string, avro.Type>()
  /** Schema ids by topic that the registry has confirmed. */
  readonly #verified = new Set<string>()
  readonly #decoded: TopicRecord[] = []

  constructor(options: TopicReaderOptions) {
    this.#options = options
    for (const kind of Object.keys(SCHEMA_FILES) as TopicKind[]) {
      const schema = readFileSync(new URL(`../../schemas/${SCHEMA_FILES[kind]}`, import.meta.url), 'utf8')
      this.#types.set(options.topics[kind], avro.Type.forSchema(JSON.parse(schema) as avro.Schema))
    }
    this.#reader = new CommittedReader({
      brokers: options.brokers,
      topics: [...this.#types.keys()],
      onRecord: (record) => this.#verify(record),
    })
  }

  /** All records so far. The records of a partition are in the order of the partition. */
  get records(): readonly TopicRecord[] {
    for (const record of this.#reader.takeRecords()) this.#decoded.push(this.#decode(record))
    return this.#decoded
  }

  count(topic: string): number {
    return this.records.filter((record) => record.topic === topic).length
  }

  /** Starts reading as soon as the connector has created its topics. */
  start(): Promise<void> {
    return this.#reader.start()
  }

  /** Reads everything that is on the topics now. Must be called only after the connector has stopped publishing. */
  readToTheEnd(): Promise<void> {
    return this.#reader.readToTheEnd()
  }

  stop(): Promise<void> {
    return this.#reader.stop()
  }

  /** Reads everything from the beginning to the end, and stops. */
  async readAll(): Promise<readonly TopicRecord[]> {
    await this.#readOnce()
    return this.records
  }

  /** Like `readAll`, for runs whose decoded records do not fit in memory: each record is decoded when it is asked for. */
  async readAllLazily(): Promise<Iterable<TopicRecord>> {
    await this.#readOnce()
    const records = this.#reader.takeRecords()
    const decode = (record: CommittedRecord): TopicRecord => this.#decode(record)
    return (function* decodeEach() {
      for (const record of records) yield decode(record)
    })()
  }

  async #readOnce(): Promise<void> {
    try {
      await this.start()
      await this.readToTheEnd()
    } finally {
      await this.stop()
    }
  }

  /** @throws Error for a record in another format, or with an id under which the registry has another schema */
  async #verify({ topic, partition, value }: CommittedRecord): Promise<void> {
    if (value[0] !== MAGIC_BYTE || value.length < WIRE_HEADER_BYTES) {
      throw new Error(`a record of ${topic}/${partition} is not in the wire format of Confluent`)
    }
    const id = value.readUInt32BE(1)
    if (this.#verified.has(`${topic} ${id}`)) return
    const expected = this.#types.get(topic)!
    const registered = await retryFor(() => this.#registeredType(id), REGISTRY_TIMEOUT_MS)
    if (!registered.fingerprint().equals(expected.fingerprint())) {
      throw new Error(`${topic} has records with schema id ${id}, which is ${registered.name} in the registry`)
    }
    this.#verified.add(`${topic} ${id}`)
  }

  async #registeredType(id: number): Promise<avro.Type> {
    const url = `${this.#options.registryUrl}/schemas/ids/${id}`
    const response = await fetch(url)
    if (!response.ok) throw new Error(`${url} answered ${response.status}`)
    const { schema } = (await response.json()) as { schema: string }
    return avro.Type.forSchema(JSON.parse(schema) as avro.Schema)
  }

  #decode({ value, ...record }: CommittedRecord): TopicRecord {
    const type = this.#types.get(record.topic)!
    return { ...record, value: type.fromBuffer(value.subarray(WIRE_HEADER_BYTES)) as TopicRecord['value'] }
  }
}
