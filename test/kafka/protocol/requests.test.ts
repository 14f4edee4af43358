import { describe, expect, it } from 'vitest'
import { readResponse, writeRequest } from '../../../src/kafka/kafkajs-workarounds/kafkajs-cluster.js'
import { produceRequest } from '../../../src/kafka/protocol/produce.js'
import {
  addOffsetsToTxnRequest,
  addPartitionsToTxnRequest,
  apiVersionsRequest,
  describeTransactionsRequest,
  endTxnRequest,
  findCoordinatorRequest,
  heartbeatRequest,
  initProducerIdRequest,
  metadataRequest,
  offsetFetchRequest,
  type ProtocolRequest,
  txnOffsetCommitRequest,
} from '../../../src/kafka/protocol/requests.js'
import { KAFKA_MESSAGES } from './kafka-messages.js'

const identity = { producerId: 4_000_000_000n, producerEpoch: 7 }
const position = { groupId: 'group', topic: 'dead', partition: 0, offset: 1_795_328_036_471_104n, metadata: 'meta' }
const batch = (topic: string, partition: number, text: string) => ({ topic, partition, bytes: Buffer.from(text) })

const REQUESTS: Readonly<Record<string, ProtocolRequest<unknown>>> = {
  InitProducerId: initProducerIdRequest('größe', 60_000),
  'InitProducerId without id': initProducerIdRequest(null, 0),
  AddPartitionsToTxn: addPartitionsToTxnRequest('id', identity, [
    { topic: 'dlr', partitions: [0, 5] },
    { topic: 'mo', partitions: [1] },
  ]),
  AddOffsetsToTxn: addOffsetsToTxnRequest('id', identity, 'group'),
  TxnOffsetCommit: txnOffsetCommitRequest('id', identity, position),
  EndTxn: endTxnRequest('id', identity, true),
  FindCoordinator: findCoordinatorRequest('transaction', 'id'),
  OffsetFetch: offsetFetchRequest('group', 'dead', 0),
  ApiVersions: apiVersionsRequest(),
  DescribeTransactions: describeTransactionsRequest('id'),
  Metadata: metadataRequest(['dlr', 'größe']),
  Heartbeat: heartbeatRequest('group', -1, 'member'),
  Produce: produceRequest('id', [batch('dlr', 0, 'abc'), batch('mo', 3, 'x'), batch('dlr', 200, 'defg')], 5_000),
}

const metadata = (topicId: string | undefined): object => ({
  throttleTimeMs: 9,
  topics: [
    // Read, Write and Describe.
    { topic: 'dlr', topicId, errorCode: 0, authorizedOperations: (1 << 3) | (1 << 4) | (1 << 8) },
    { topic: 'mo', topicId: undefined, errorCode: 29, authorizedOperations: undefined },
  ],
})

/** What the responses of `kafka-messages.ts` say, for the versions that have all fields. */
const RESPONSES: Readonly<Record<string, object>> = {
  InitProducerId: { throttleTimeMs: 9, errorCode: 51, ...identity },
  AddPartitionsToTxn: {
    throttleTimeMs: 9,
    partitions: [
      { topic: 'dlr', partition: 0, errorCode: 55 },
      { topic: 'dlr', partition: 5, errorCode: 29 },
    ],
  },
  AddOffsetsToTxn: { throttleTimeMs: 9, errorCode: 16 },
  TxnOffsetCommit: { throttleTimeMs: 9, partitions: [{ topic: 'dead', partition: 0, errorCode: 14 }] },
  EndTxn: { throttleTimeMs: 9, errorCode: 0, next: { producerId: 4_000_000_001n, producerEpoch: 8 } },
  FindCoordinator: { throttleTimeMs: 9, errorCode: 0, errorMessage: 'why', nodeId: 3 },
  OffsetFetch: { throttleTimeMs: 9, errorCode: 88, offset: position.offset, metadata: 'meta' },
  ApiVersions: {
    errorCode: 0,
    throttleTimeMs: 9,
    versions: { 0: { minVersion: 3, maxVersion: 13 }, 26: { minVersion: 0, maxVersion: 5 } },
    finalizedFeatures: new Map([
      ['metadata.version', 27],
      ['transaction.version', 2],
    ]),
  },
  DescribeTransactions: { throttleTimeMs: 9, errorCode: 0, startTimeMs: 1_795_328_036_471 },
  Metadata: metadata('0123456789abcdef1011121314151617'),
  Heartbeat: { throttleTimeMs: 9, errorCode: 30 },
  Produce: {
    throttleTimeMs: 9,
    partitions: [
      { topic: 'dlr', partition: 0, errorCode: 0, errorMessage: null },
      { topic: 'dlr', partition: 200, errorCode: 32, errorMessage: 'first' },
    ],
  },
}
/** What older versions of these responses lack. */
const MISSING: Readonly<Record<string, object>> = {
  'EndTxnResponse v0': { next: undefined },
  'EndTxnResponse v3': { next: undefined },
  'OffsetFetchResponse v2': { throttleTimeMs: 0 },
  'MetadataResponse v8': metadata(undefined),
  'MetadataResponse v9': metadata(undefined),
  'ProduceResponse v3': {
    partitions: [
      { topic: 'dlr', partition: 0, errorCode: 0, errorMessage: null },
      { topic: 'dlr', partition: 200, errorCode: 32, errorMessage: null },
    ],
  },
}

interface Vector {
  readonly title: string
  readonly api: string
  readonly version: number
  readonly body: string
}

const vectorsOf = (kind: 'Request' | 'Response'): Vector[] =>
  Object.entries(KAFKA_MESSAGES).flatMap(([title, body]) => {
    const [, name, found, variant, version] = /^([A-Za-z]+?)(Request|Response)( without id)? v(\d+)$/.exec(title)!
    return found === kind ? [{ title, api: name! + (variant ?? ''), version: Number(version), body }] : []
  })

/** The header of a flexible version ends with tagged fields, which this client writes in front of the body. */
const NO_TAGGED_FIELDS = '00'
const isFlexible = ({ api }: ProtocolRequest<unknown>, version: number): boolean => version >= api.flexibleFrom

describe('The requests of the producers and of check', () => {
  it.each(vectorsOf('Request'))('are written byte for byte as Kafka writes $title', ({ api, version, body }) => {
    const request = REQUESTS[api]!
    const expected = (isFlexible(request, version) ? NO_TAGGED_FIELDS : '') + body
    expect(writeRequest(request, version).toString('hex')).toBe(expected)
  })

  it.each(vectorsOf('Response'))('read what Kafka writes as $title', ({ title, api, version, body }) => {
    const request = REQUESTS[api]!
    const hasTaggedHeader = isFlexible(request, version) && api !== 'ApiVersions'
    const payload = Buffer.from((hasTaggedHeader ? NO_TAGGED_FIELDS : '') + body, 'hex')
    expect(readResponse(request, version, payload)).toEqual({ ...RESPONSES[api], ...MISSING[title] })
  })

  it.each(vectorsOf('Response'))('throw instead of reading on when $title is cut', ({ api, version, body }) => {
    const request = REQUESTS[api]!
    const hasTaggedHeader = isFlexible(request, version) && api !== 'ApiVersions'
    const payload = Buffer.from((hasTaggedHeader ? NO_TAGGED_FIELDS : '') + body, 'hex')
    for (let length = 0; length < payload.length; length++) {
      expect(() => readResponse(request, version, payload.subarray(0, length))).toThrow(RangeError)
    }
  })
})
