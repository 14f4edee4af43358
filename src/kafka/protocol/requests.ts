/**
 * The requests of the transaction protocol, except Produce (`produce.ts`), those that find out rights, and their responses.
 *
 * Each request is an object with `write` and `read`, which follow the fields of Kafka's message files in their order. The error
 * codes stay numbers here; `error-codes.ts` says what they mean.
 */
import { APIS, type Api, type VersionRange } from './apis.js'
import type { WireReader, WireWriter } from './wire.js'

export interface ProtocolRequest<T> {
  readonly api: Api
  write(writer: WireWriter, version: number): void
  read(reader: WireReader, version: number): T
}

/** What every response has. */
export interface Throttled {
  /** How long the broker asks this client to pause, in milliseconds (KIP-219). */
  readonly throttleTimeMs: number
}

export interface WithErrorCode extends Throttled {
  readonly errorCode: number
}

export interface PartitionError {
  readonly topic: string
  readonly partition: number
  readonly errorCode: number
}

export interface WithPartitionErrors extends Throttled {
  readonly partitions: readonly PartitionError[]
}

/** Identifies a producer and, with feature level 2, its transaction. */
export interface ProducerIdentity {
  readonly producerId: bigint
  readonly producerEpoch: number
}

export interface TopicPartitions {
  readonly topic: string
  readonly partitions: readonly number[]
}

/** A string or a number that the broker does not look at: the name of the client software, for its metrics. */
const SOFTWARE_NAME = 'dlr-mo-connector'
const SOFTWARE_VERSION = '1'

/** The tag of the finalized features in an ApiVersions response. */
const FINALIZED_FEATURES_TAG = 2

export interface ApiVersionsResponse extends WithErrorCode {
  readonly versions: Readonly<Record<number, VersionRange>>
  /** The level of each feature that is finalized in the cluster. */
  readonly finalizedFeatures: ReadonlyMap<string, number>
}

export const apiVersionsRequest = (): ProtocolRequest<ApiVersionsResponse> => ({
  api: APIS.apiVersions,
  write: (writer) => {
    writer.string(SOFTWARE_NAME).string(SOFTWARE_VERSION).endOfStructure()
  },
  read: (reader) => {
    const errorCode = reader.int16()
    const versions: Record<number, VersionRange> = {}
    reader.array(() => {
      const key = reader.int16()
      versions[key] = { minVersion: reader.int16(), maxVersion: reader.int16() }
      reader.endOfStructure()
    })
    const throttleTimeMs = reader.int32()
    const finalizedFeatures = new Map<string, number>()
    reader.taggedFields((tag, content) => {
      if (tag !== FINALIZED_FEATURES_TAG) return
      content.array(() => {
        const name = content.string()
        finalizedFeatures.set(name, content.int16())
        content.int16() // the lowest level, which no client needs
        content.endOfStructure()
      })
    })
    return { errorCode, versions, throttleTimeMs, finalizedFeatures }
  },
})

export type CoordinatorType = 'group' | 'transaction'
const COORDINATOR_TYPES: Readonly<Record<CoordinatorType, number>> = { group: 0, transaction: 1 }

export interface FindCoordinatorResponse extends WithErrorCode {
  readonly nodeId: number
  readonly errorMessage: string | null
}

export const findCoordinatorRequest = (
  type: CoordinatorType,
  key: string,
): ProtocolRequest<FindCoordinatorResponse> => ({
  api: APIS.findCoordinator,
  write: (writer) => {
    writer.string(key).int8(COORDINATOR_TYPES[type]).endOfStructure()
  },
  read: (reader) => {
    const throttleTimeMs = reader.int32()
    const errorCode = reader.int16()
    const errorMessage = reader.nullableString()
    const nodeId = reader.int32()
    reader.string() // the host
    reader.int32() // the port
    reader.endOfStructure()
    return { throttleTimeMs, errorCode, errorMessage, nodeId }
  },
})

export interface InitProducerIdResponse extends WithErrorCode, ProducerIdentity {}

/** @param transactionalId null for an idempotent producer without transactions */
export const initProducerIdRequest = (
  transactionalId: string | null,
  transactionTimeoutMs: number,
): ProtocolRequest<InitProducerIdResponse> => ({
  api: APIS.initProducerId,
  write: (writer, version) => {
    writer.nullableString(transactionalId).int32(transactionTimeoutMs)
    // Without an id and epoch of its own the request fences every other producer of this transactional id.
    if (version >= 3) writer.int64(-1n).int16(-1)
    writer.endOfStructure()
  },
  read: (reader) => {
    const response = { ...readErrorCode(reader), ...readIdentity(reader) }
    reader.endOfStructure()
    return response
  },
})

export const addPartitionsToTxnRequest = (
  transactionalId: string,
  { producerId, producerEpoch }: ProducerIdentity,
  topics: readonly TopicPartitions[],
): ProtocolRequest<WithPartitionErrors> => ({
  api: APIS.addPartitionsToTxn,
  write: (writer) => {
    writer
      .string(transactionalId)
      .int64(producerId)
      .int16(producerEpoch)
      .array(topics, ({ topic, partitions }) => {
        writer
          .string(topic)
          .array(partitions, (partition) => writer.int32(partition))
          .endOfStructure()
      })
      .endOfStructure()
  },
  read: readPartitionErrors,
})

export const addOffsetsToTxnRequest = (
  transactionalId: string,
  { producerId, producerEpoch }: ProducerIdentity,
  groupId: string,
): ProtocolRequest<WithErrorCode> => ({
  api: APIS.addOffsetsToTxn,
  write: (writer) => {
    writer.string(transactionalId).int64(producerId).int16(producerEpoch).string(groupId).endOfStructure()
  },
  read: readOnlyErrorCode,
})

export interface GroupOffset {
  readonly groupId: string
  readonly topic: string
  readonly partition: number
  readonly offset: bigint
  readonly metadata: string
}

/** Stores one offset of a group without members within a transaction. */
export const txnOffsetCommitRequest = (
  transactionalId: string,
  { producerId, producerEpoch }: ProducerIdentity,
  { groupId, topic, partition, offset, metadata }: GroupOffset,
): ProtocolRequest<WithPartitionErrors> => ({
  api: APIS.txnOffsetCommit,
  write: (writer, version) => {
    writer.string(transactionalId).string(groupId).int64(producerId).int16(producerEpoch)
    // Generation, member and instance of a group without members.
    if (version >= 3) writer.int32(-1).string('').nullableString(null)
    writer.arrayLength(1).string(topic).arrayLength(1).int32(partition).int64(offset)
    if (version >= 2) writer.int32(-1) // no leader epoch
    writer.nullableString(metadata).endOfStructure().endOfStructure().endOfStructure()
  },
  read: readPartitionErrors,
})

function readPartitionErrors(reader: WireReader): WithPartitionErrors {
  const throttleTimeMs = reader.int32()
  const partitions: PartitionError[] = []
  reader.array(() => {
    const topic = reader.string()
    reader.array(() => {
      partitions.push({ topic, partition: reader.int32(), errorCode: reader.int16() })
      reader.endOfStructure()
    })
    reader.endOfStructure()
  })
  reader.endOfStructure()
  return { throttleTimeMs, partitions }
}

function readErrorCode(reader: WireReader): WithErrorCode {
  return { throttleTimeMs: reader.int32(), errorCode: reader.int16() }
}

function readOnlyErrorCode(reader: WireReader): WithErrorCode {
  const response = readErrorCode(reader)
  reader.endOfStructure()
  return response
}

function readIdentity(reader: WireReader): ProducerIdentity {
  return { producerId: reader.int64(), producerEpoch: reader.int16() }
}

export interface EndTxnResponse extends WithErrorCode {
  /** The identity for the next transaction, from version 5 on; undefined before, when it stays the same. */
  readonly next: ProducerIdentity | undefined
}

export const endTxnRequest = (
  transactionalId: string,
  { producerId, producerEpoch }: ProducerIdentity,
  isCommit: boolean,
): ProtocolRequest<EndTxnResponse> => ({
  api: APIS.endTxn,
  write: (writer) => {
    writer.string(transactionalId).int64(producerId).int16(producerEpoch).boolean(isCommit).endOfStructure()
  },
  read: (reader, version) => {
    const response = { ...readErrorCode(reader), next: version >= 5 ? readIdentity(reader) : undefined }
    reader.endOfStructure()
    return response
  },
})

export interface OffsetFetchResponse extends WithErrorCode {
  /** -1 if the group has stored none. */
  readonly offset: bigint
  readonly metadata: string | null
}

/**
 * Reads one offset of a group. From version 7 on the broker answers UNSTABLE_OFFSET_COMMIT while a transaction that stored an
 * offset here is not complete, so that the answer is never older than the last commit.
 */
export const offsetFetchRequest = (
  groupId: string,
  topic: string,
  partition: number,
): ProtocolRequest<OffsetFetchResponse> => ({
  api: APIS.offsetFetch,
  write: (writer, version) => {
    writer.string(groupId).arrayLength(1).string(topic).arrayLength(1).int32(partition).endOfStructure()
    if (version >= 7) writer.boolean(true)
    writer.endOfStructure()
  },
  read: (reader, version) => {
    const throttleTimeMs = version >= 3 ? reader.int32() : 0
    let stored = { offset: -1n, metadata: null as string | null, errorCode: 0 }
    reader.array(() => {
      reader.string()
      reader.array(() => {
        reader.int32()
        const offset = reader.int64()
        if (version >= 5) reader.int32() // the leader epoch
        stored = { offset, metadata: reader.nullableString(), errorCode: reader.int16() }
        reader.endOfStructure()
      })
      reader.endOfStructure()
    })
    const groupErrorCode = reader.int16()
    reader.endOfStructure()
    return { throttleTimeMs, ...stored, errorCode: groupErrorCode || stored.errorCode }
  },
})

export interface DescribeTransactionsResponse extends WithErrorCode {
  /** When the open transaction began, by the clock of its coordinator; undefined if none is open. */
  readonly startTimeMs: number | undefined
}

export const describeTransactionsRequest = (
  transactionalId: string,
): ProtocolRequest<DescribeTransactionsResponse> => ({
  api: APIS.describeTransactions,
  write: (writer) => {
    writer.array([transactionalId], (id) => writer.string(id)).endOfStructure()
  },
  read: (reader) => {
    const throttleTimeMs = reader.int32()
    const [first] = reader.array(() => {
      const errorCode = reader.int16()
      reader.string() // the transactional id
      reader.string() // the state
      reader.int32() // the timeout
      const startTimeMs = Number(reader.int64())
      reader.int64() // the producer id
      reader.int16() // the producer epoch
      reader.array(() => {
        reader.string()
        reader.array(() => reader.int32())
        reader.endOfStructure()
      })
      reader.endOfStructure()
      return { errorCode, startTimeMs: startTimeMs < 0 ? undefined : startTimeMs }
    })
    reader.endOfStructure()
    return { throttleTimeMs, errorCode: first?.errorCode ?? 0, startTimeMs: first?.startTimeMs }
  },
})

export interface TopicMetadata {
  readonly topic: string
  readonly errorCode: number
  /** A topic that is created again under the same name has another id. Undefined if the broker tells none, as
   *  Kafka before 2.8 does. */
  readonly topicId: string | undefined
  /** One bit for each code in `AclOperation.java`; undefined if the broker does not know the operations. */
  readonly authorizedOperations: number | undefined
}

export interface MetadataResponse extends Throttled {
  readonly topics: readonly TopicMetadata[]
}

/** What a broker sends for operations that it does not know. */
const UNKNOWN_OPERATIONS = -2_147_483_648

/** The id that stands for no id. */
const NO_TOPIC_ID = Buffer.alloc(16)
/** The first version with topic ids, and the last one that tells the operations on the cluster too. */
const TOPIC_IDS_FROM = 10

/** Asks for the ids of topics, and for what this user is authorised to do with each. A missing topic is not created. */
export const metadataRequest = (topics: readonly string[]): ProtocolRequest<MetadataResponse> => ({
  api: APIS.metadata,
  write: (writer, version) => {
    writer.array(topics, (topic) => {
      if (version >= TOPIC_IDS_FROM) writer.raw(NO_TOPIC_ID)
      writer.string(topic).endOfStructure()
    })
    writer.boolean(false) // does not create topics
    writer.boolean(false) // without the operations on the cluster
    writer.boolean(true).endOfStructure() // with the operations on the topics
  },
  read: (reader, version) => {
    const throttleTimeMs = reader.int32()
    reader.array(() => {
      reader.int32() // the node id
      reader.string() // the host
      reader.int32() // the port
      reader.string() // the rack
      reader.endOfStructure()
    })
    reader.string() // the id of the cluster
    reader.int32() // the controller
    const found = reader.array(() => readTopicMetadata(reader, version))
    reader.int32() // the operations on the cluster
    reader.endOfStructure()
    return { throttleTimeMs, topics: found }
  },
})

function readTopicMetadata(reader: WireReader, version: number): TopicMetadata {
  const errorCode = reader.int16()
  const topic = reader.string()
  const topicId = version >= TOPIC_IDS_FROM ? reader.raw(NO_TOPIC_ID.length) : NO_TOPIC_ID
  reader.boolean() // whether the topic is internal
  reader.array(() => {
    reader.int16() // the error code
    reader.int32() // the partition
    reader.int32() // the leader
    reader.int32() // the leader epoch
    reader.array(() => reader.int32()) // the replicas
    reader.array(() => reader.int32()) // the replicas in sync
    reader.array(() => reader.int32()) // the replicas that are offline
    reader.endOfStructure()
  })
  const operations = reader.int32()
  reader.endOfStructure()
  return {
    topic,
    errorCode,
    topicId: topicId.equals(NO_TOPIC_ID) ? undefined : topicId.toString('hex'),
    authorizedOperations: operations === UNKNOWN_OPERATIONS ? undefined : operations,
  }
}

export const heartbeatRequest = (
  groupId: string,
  generationId: number,
  memberId: string,
): ProtocolRequest<WithErrorCode> => ({
  api: APIS.heartbeat,
  write: (writer, version) => {
    writer.string(groupId).int32(generationId).string(memberId)
    if (version >= 3) writer.nullableString(null) // the instance of a static member
    writer.endOfStructure()
  },
  read: readOnlyErrorCode,
})
