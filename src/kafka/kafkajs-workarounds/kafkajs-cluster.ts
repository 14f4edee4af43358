/**
 * The internals of kafkajs 2.2.4 that the producers and `check` use, all of them. They send requests that kafkajs does not know
 * over kafkajs's own connections, which have connected and authenticated.
 *
 * kafkajs is pinned to 2.2.4, and `kafkajs-cluster.test.ts` fails with the name of whatever is missing in another version.
 *
 * Defects that are repaired here:
 *
 * - kafkajs cannot send another client's requests, and its newest versions of the transaction requests predate KIP-890.
 * - A request that is in flight when kafkajs closes its connection is never rejected, and a connection that the other side closes
 *   while it is being established never settles. Every step therefore has a time limit of its own.
 * - kafkajs takes the versions of requests that the first broker supports for those of every broker. During a rolling upgrade an
 *   older broker closes the connection when a request has a version that only the newer ones support. Every broker is therefore
 *   asked for its own.
 *
 * This file can go when the client no longer is kafkajs.
 */
import type { Kafka } from 'kafkajs'
import { orTimeout } from '../../core/abort.js'
import type { Clock } from '../../core/clock.js'
import { APIS, type BrokerVersions } from '../protocol/apis.js'
import type { ProtocolRequest } from '../protocol/requests.js'
import { WireReader, WireWriter } from '../protocol/wire.js'

/** What `encode` of a request returns: kafkajs copies `buffer` behind its own header. */
interface KafkajsEncoder {
  readonly buf: Buffer
  readonly buffer: Buffer
}

interface KafkajsRequest {
  readonly request: {
    readonly apiKey: number
    readonly apiVersion: number
    readonly apiName: string
    encode(): Promise<KafkajsEncoder>
  }
  readonly response: {
    decode(payload: Buffer): Promise<Buffer>
    parse(payload: Buffer): Promise<Buffer>
  }
  readonly logResponseError: boolean
}

interface KafkajsBroker {
  readonly nodeId: string | number
  readonly brokerAddress: string
  readonly versions: BrokerVersions | null
  readonly connectionPool: { send(request: KafkajsRequest): Promise<Buffer> }
  isConnected(): boolean
}

export interface KafkajsPartition {
  readonly partitionId: number
  /** The node id of the leader. */
  readonly leader: number
}

export interface KafkajsCluster {
  readonly brokerPool: {
    /** The versions that a broker is created with. It asks for its own if there are none. */
    versions: BrokerVersions | null
    findConnectedBroker(): Promise<KafkajsBroker>
  }
  connect(): Promise<void>
  disconnect(): Promise<void>
  addMultipleTargetTopics(topics: readonly string[]): Promise<void>
  refreshMetadata(): Promise<void>
  refreshMetadataIfNecessary(): Promise<void>
  findBroker(options: { readonly nodeId: string }): Promise<KafkajsBroker>
  findTopicPartitionMetadata(topic: string): readonly KafkajsPartition[]
}

interface CreateClusterOptions {
  readonly metadataMaxAge: number
  readonly allowAutoTopicCreation: boolean
  readonly maxInFlightRequests: number | null
}

const CREATE_CLUSTER = 'private:Kafka:createCluster'

/** kafkajs asks for the metadata again after this time, so that new partitions and brokers are used. */
const METADATA_MAX_AGE_MS = 300_000

/** The methods that the cluster and its brokers must have; a test checks them against the installed version. */
export const NEEDED_OF_CLUSTER = [
  'connect',
  'disconnect',
  'addMultipleTargetTopics',
  'refreshMetadata',
  'refreshMetadataIfNecessary',
  'findBroker',
  'findTopicPartitionMetadata',
] as const satisfies readonly (keyof KafkajsCluster)[]

/** @throws Error that names what is missing if the installed kafkajs has other internals */
export function createKafkajsCluster(kafka: Kafka): KafkajsCluster {
  const symbol = Object.getOwnPropertySymbols(kafka).find(({ description }) => description === CREATE_CLUSTER)
  const create =
    symbol && (kafka as unknown as Record<symbol, (options: CreateClusterOptions) => KafkajsCluster>)[symbol]
  if (typeof create !== 'function') throw differentInternals(`no property ${CREATE_CLUSTER}`)
  const cluster = create({
    metadataMaxAge: METADATA_MAX_AGE_MS,
    allowAutoTopicCreation: false,
    maxInFlightRequests: null,
  })
  const missing = NEEDED_OF_CLUSTER.find((name) => typeof cluster[name] !== 'function')
  if (missing !== undefined) throw differentInternals(`no method ${missing} of a cluster`)
  if (typeof cluster.brokerPool?.findConnectedBroker !== 'function') throw differentInternals('no broker pool')
  if (cluster.brokerPool.versions !== null) throw differentInternals('no versions in the broker pool')
  Object.defineProperty(cluster.brokerPool, 'versions', { get: () => null, set: () => undefined })
  return cluster
}

const differentInternals = (what: string): Error =>
  new Error(`the installed kafkajs has ${what}; this program needs kafkajs 2.2.4`)

/** How long steps may take, in milliseconds. */
export interface RequestTimes {
  readonly requestTimeoutMs: number
  /** For connecting to a broker, with everything that TLS and SASL need. */
  readonly connectTimeoutMs: number
}

/** A response did not come in time. The broker may have handled the request, and may still do so. */
export class NoResponseError extends Error {
  override readonly name = 'NoResponseError'

  constructor(apiName: string, timeoutMs: number) {
    super(`no response to ${apiName} within ${timeoutMs} ms; if the brokers are only slow, raise kafka.requestTimeout`)
  }
}

/** Time for kafkajs's own timer, which checks every 100 ms, to reject first. */
const TIMER_MARGIN_MS = 500

/** One broker to which requests can be sent. */
export interface BrokerConnection {
  readonly nodeId: number
  readonly address: string
  readonly versions: BrokerVersions
  /** @throws NoResponseError; errors of kafkajs if the connection is lost */
  send<T>(request: ProtocolRequest<T>, version: number): Promise<T>
}

/** The brokers of a cluster, over the connections of one kafkajs client. */
export class KafkajsBrokers {
  readonly #cluster: KafkajsCluster
  readonly #clock: Clock
  readonly #times: RequestTimes

  constructor(kafka: Kafka, times: RequestTimes, clock: Clock) {
    this.#cluster = createKafkajsCluster(kafka)
    this.#times = times
    this.#clock = clock
  }

  /** Connects and reads the metadata of the topics. */
  async connect(topics: readonly string[]): Promise<void> {
    await this.#cluster.connect()
    await this.#cluster.addMultipleTargetTopics(topics)
  }

  disconnect(): Promise<void> {
    return this.#cluster.disconnect()
  }

  refreshMetadata(): Promise<void> {
    return this.#limitConnecting(this.#cluster.refreshMetadata(), 'Metadata')
  }

  refreshMetadataIfOld(): Promise<void> {
    return this.#limitConnecting(this.#cluster.refreshMetadataIfNecessary(), 'Metadata')
  }

  /** Returns the partitions of a topic as of the last metadata. */
  partitionsOf(topic: string): readonly KafkajsPartition[] {
    return this.#cluster.findTopicPartitionMetadata(topic)
  }

  /** Returns the broker with this node id, after connecting to it if necessary. */
  async find(nodeId: number): Promise<BrokerConnection> {
    const found = this.#cluster.findBroker({ nodeId: String(nodeId) })
    return this.#connectionOf(await this.#limitConnecting(found, 'connecting'), nodeId)
  }

  /** Returns any broker that is connected, or can be. */
  async findAny(): Promise<BrokerConnection> {
    const broker = await this.#limitConnecting(this.#cluster.brokerPool.findConnectedBroker(), 'connecting')
    return this.#connectionOf(broker, Number(broker.nodeId))
  }

  #connectionOf(broker: KafkajsBroker, nodeId: number): BrokerConnection {
    if (!broker.versions) throw new Error(`the versions of broker ${broker.brokerAddress} are not known`)
    return {
      nodeId,
      address: broker.brokerAddress,
      versions: broker.versions,
      send: (request, version) => this.#send(broker, request, version),
    }
  }

  async #send<T>(broker: KafkajsBroker, request: ProtocolRequest<T>, version: number): Promise<T> {
    const { requestTimeoutMs } = this.#times
    const { api } = request
    const sent = broker.connectionPool.send(toKafkajs(request, version))
    let payload: Buffer | 'timeout'
    try {
      payload = await orTimeout(sent, requestTimeoutMs + TIMER_MARGIN_MS, this.#clock)
    } catch (error) {
      if ((error as Error).name === 'KafkaJSRequestTimeoutError') throw new NoResponseError(api.name, requestTimeoutMs)
      throw error
    }
    if (payload === 'timeout') throw new NoResponseError(api.name, requestTimeoutMs)
    return readResponse(request, version, payload)
  }

  async #limitConnecting<T>(operation: Promise<T>, apiName: string): Promise<T> {
    const { connectTimeoutMs } = this.#times
    const result = await orTimeout(operation, connectTimeoutMs, this.#clock)
    if (result === 'timeout') throw new NoResponseError(apiName, connectTimeoutMs)
    return result
  }
}

const toKafkajs = <T>(request: ProtocolRequest<T>, version: number): KafkajsRequest => {
  const { api } = request
  const returnUnchanged = (payload: Buffer): Promise<Buffer> => Promise.resolve(payload)
  return {
    request: {
      apiKey: api.key,
      apiVersion: version,
      apiName: api.name,
      encode: () => Promise.resolve(encoderOf(request, version)),
    },
    response: { decode: returnUnchanged, parse: returnUnchanged },
    logResponseError: false,
  }
}

const sharedWriter = new WireWriter(64 * 1024)
const NO_BYTES = Buffer.alloc(0)

/**
 * Looks to kafkajs like one of its encoders. kafkajs checks `buf`, and copies `buffer` behind its own header as soon as it has
 * read it. The request is written only then, so that one writer serves all requests, also those that are sent side by side.
 */
const encoderOf = <T>(request: ProtocolRequest<T>, version: number): KafkajsEncoder => ({
  buf: NO_BYTES,
  get buffer() {
    return writeRequest(request, version, sharedWriter)
  },
})

/**
 * Returns a request without the header that kafkajs writes in front of it (API key, version, correlation id, client id). The
 * header of a flexible version has tagged fields behind these, so that they become the first byte here.
 */
export function writeRequest<T>(request: ProtocolRequest<T>, version: number, writer = new WireWriter()): Buffer {
  writer.reset(version >= request.api.flexibleFrom).endOfStructure()
  request.write(writer, version)
  return writer.bytes
}

/** @param payload a response behind its correlation id */
export function readResponse<T>(request: ProtocolRequest<T>, version: number, payload: Buffer): T {
  const reader = new WireReader(payload, version >= request.api.flexibleFrom)
  // The header of an ApiVersions response never has tagged fields, so that every client can read it.
  if (request.api.key !== APIS.apiVersions.key) reader.endOfStructure()
  return request.read(reader, version)
}
