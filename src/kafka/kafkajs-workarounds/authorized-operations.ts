/**
 * Asks a broker which operations this user may do.
 *
 * Defect: kafkajs 2.2.4 sends Metadata up to version 6. Effect: the operations that a user is authorised for (KIP-430), which
 * version 8 returns, can't be asked for through its interface.
 *
 * This file can go when the client no longer is kafkajs.
 */
import type { Kafka } from 'kafkajs'
import { ConnectorError } from '../../core/errors.js'

/** The operations that `check` asks about, with their codes in `AclOperation.java`. */
const OPERATION_CODES = { Read: 3, Write: 4, Create: 5, Describe: 8 } as const

export type Operation = keyof typeof OPERATION_CODES

/** The methods of kafkajs's brokers that are used here. They reject with the error of the response. */
export interface KafkajsBroker {
  readonly versions: Readonly<Record<number, { readonly maxVersion: number }>> | null
  readonly connectionPool: { send(request: object): Promise<Buffer> }
  addOffsetsToTxn(request: {
    readonly transactionalId: string
    readonly producerId: string
    readonly producerEpoch: number
    readonly groupId: string
  }): Promise<unknown>
  heartbeat(request: {
    readonly groupId: string
    readonly groupGenerationId: number
    readonly memberId: string
  }): Promise<unknown>
}

interface KafkajsCluster {
  readonly brokerPool: { findConnectedBroker(): Promise<KafkajsBroker> }
  connect(): Promise<void>
}

const CREATE_CLUSTER = 'private:Kafka:createCluster'
const METADATA_API = 3
const METADATA_VERSION = 8
/** What a broker sends for operations that it was not asked for, or does not know. */
const NOT_SAID = -2_147_483_648

/** Connects to any broker. The caller destroys the client. */
export async function connectToBroker(kafka: Kafka): Promise<KafkajsBroker> {
  const symbol = Object.getOwnPropertySymbols(kafka).find(({ description }) => description === CREATE_CLUSTER)
  if (symbol === undefined) throw new Error(`the installed kafkajs has no ${CREATE_CLUSTER}; version 2.2.4 is needed`)
  const createCluster = (kafka as unknown as Record<symbol, (options: object) => KafkajsCluster>)[symbol]!
  const cluster = createCluster({ metadataMaxAge: 300_000, allowAutoTopicCreation: false })
  await cluster.connect()
  return cluster.brokerPool.findConnectedBroker()
}

/**
 * Returns what this user may do with each topic that exists and that it may describe.
 * @returns undefined if the broker is older than Kafka 2.3, which can't be asked
 */
export async function fetchTopicAuthorizations(
  broker: KafkajsBroker,
  topics: readonly string[],
): Promise<ReadonlyMap<string, ReadonlySet<Operation>> | undefined> {
  if ((broker.versions?.[METADATA_API]?.maxVersion ?? 0) < METADATA_VERSION) return undefined
  const request = encodeRequest(topics)
  const returnUnchanged = (payload: Buffer): Promise<Buffer> => Promise.resolve(payload)
  const response = await broker.connectionPool.send({
    request: {
      apiKey: METADATA_API,
      apiVersion: METADATA_VERSION,
      apiName: 'Metadata',
      // kafkajs takes an object with these two properties for one of its encoders.
      encode: () => Promise.resolve({ buf: request, buffer: request }),
    },
    response: { decode: returnUnchanged, parse: returnUnchanged },
  })
  return decodeResponse(response)
}

/** Metadata Request (Version: 8) => [topics] allow_auto_topic_creation include_cluster… include_topic_authorized_operations */
function encodeRequest(topics: readonly string[]): Buffer {
  const parts = topics.map((topic) => {
    const name = Buffer.from(topic)
    const length = Buffer.alloc(2)
    length.writeInt16BE(name.length)
    return Buffer.concat([length, name])
  })
  const count = Buffer.alloc(4)
  count.writeInt32BE(topics.length)
  return Buffer.concat([count, ...parts, Buffer.from([0, 0, 1])])
}

/** @throws ConnectorError KAFKA_UNREACHABLE if the response ends too early */
function decodeResponse(response: Buffer): ReadonlyMap<string, ReadonlySet<Operation>> {
  const reader = new Reader(response)
  const authorizations = new Map<string, ReadonlySet<Operation>>()
  try {
    reader.int32() // throttle_time_ms
    reader.repeat(() => reader.skipBroker())
    reader.string() // cluster_id
    reader.int32() // controller_id
    reader.repeat(() => {
      const errorCode = reader.int16()
      const topic = reader.string()
      reader.skip(1) // is_internal
      reader.repeat(() => reader.skipPartition())
      const bits = reader.int32()
      if (errorCode === 0 && bits !== NOT_SAID) authorizations.set(topic, operationsIn(bits))
    })
  } catch (error) {
    throw new ConnectorError('KAFKA_UNREACHABLE', "a broker sent a Metadata response that can't be read", {
      cause: error,
    })
  }
  return authorizations
}

const operationsIn = (bits: number): ReadonlySet<Operation> => {
  const operations = Object.keys(OPERATION_CODES) as Operation[]
  return new Set(operations.filter((operation) => (bits & (1 << OPERATION_CODES[operation])) !== 0))
}

/** Reads the types of Kafka's protocol. Each method throws a RangeError if the bytes end too early. */
class Reader {
  readonly #bytes: Buffer
  #at = 0

  constructor(bytes: Buffer) {
    this.#bytes = bytes
  }

  int16(): number {
    const value = this.#bytes.readInt16BE(this.#at)
    this.#at += 2
    return value
  }

  int32(): number {
    const value = this.#bytes.readInt32BE(this.#at)
    this.#at += 4
    return value
  }

  /** A null string is returned as an empty one. */
  string(): string {
    const length = Math.max(0, this.int16())
    const value = this.#bytes.toString('utf8', this.#at, this.#at + length)
    this.skip(length)
    return value
  }

  skip(bytes: number): void {
    this.#at += bytes
  }

  repeat(readElement: () => void): void {
    const count = this.int32()
    for (let index = 0; index < count; index++) readElement()
  }

  /** node_id host port rack */
  skipBroker(): void {
    this.int32()
    this.string()
    this.int32()
    this.string()
  }

  /** error_code partition leader leader_epoch [replicas] [isr] [offline_replicas] */
  skipPartition(): void {
    this.skip(2 + 4 + 4 + 4)
    for (let list = 0; list < 3; list++) this.repeat(() => this.int32())
  }
}
