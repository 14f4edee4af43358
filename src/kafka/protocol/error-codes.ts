/**
 * What each error code means for the requests of the producer: Produce, InitProducerId, AddPartitionsToTxn, AddOffsetsToTxn,
 * TxnOffsetCommit, EndTxn, FindCoordinator and OffsetFetch.
 *
 * Only a request that was *answered* is ever repeated. Nothing of it is under way any more then, so its repetition cannot be
 * overtaken by itself. Why the repetition is safe:
 *
 * - Produce: the same bytes carry the same producer id, epoch and base sequence. A leader that has them already answers success
 *   without appending ("duplicate batch"), and refuses a gap with OUT_OF_ORDER_SEQUENCE_NUMBER. This holds across a change of the
 *   leader, because the sequences are part of the replicated log, and with one request in flight for each partition no later
 *   batch can come first.
 * - AddPartitionsToTxn, AddOffsetsToTxn, TxnOffsetCommit: adding what is already added and storing the same offset again in the
 *   same transaction changes nothing.
 * - EndTxn: the coordinator answers a repeated commit of a transaction that it has committed with success, and one that it is
 *   committing with CONCURRENT_TRANSACTIONS. With feature level 2 it recognises the repetition by the epoch of the transaction
 *   (KIP-890); below it, nothing new is sent in the epoch before the answer has come.
 * - InitProducerId: it raises the epoch once more.
 *
 * A request that was *not* answered in time, or whose connection died, leaves the producer in doubt. It is not repeated: with
 * feature level 0 and 1 a late EndTxn could end the next transaction, which has the same epoch. InitProducerId of a new producer
 * completes or aborts the transaction and fences what is still under way.
 */

export type Reaction =
  /** The same request is sent again after a delay. */
  | 'repeat'
  /** The coordinator is looked up again, and the request is sent again. */
  | 'find-coordinator'
  /** The leaders are looked up again, and the request is sent again. */
  | 'find-leader'
  /** The producer is given up; the next one aborts what was begun. */
  | 'new-producer'
  /** As `new-producer`. A producer with the same transactional id may have taken over. */
  | 'fenced'
  /** As `new-producer`. It will fail again until somebody changes a setting, a right, a topic or a clock. */
  | 'refused'

export interface ErrorMeaning {
  /** The name in Kafka's `Errors.java`. */
  readonly name: string
  readonly reaction: Reaction
  /** What the code says, as a clause. */
  readonly meaning: string
  /** What an operator can do, as a clause. `{topic}` is replaced. */
  readonly remedy?: string
}

const CLOCKS =
  "this machine's clock differs from the broker's by more than message.timestamp.after.max.ms or message.timestamp.before.max.ms of topic {topic} allows; synchronise the clocks"

export const ERROR_CODES: Readonly<Record<number, ErrorMeaning>> = {
  [-1]: { name: 'UNKNOWN_SERVER_ERROR', reaction: 'new-producer', meaning: 'the broker failed to process the request' },
  2: { name: 'CORRUPT_MESSAGE', reaction: 'repeat', meaning: 'the records were damaged on their way' },
  3: {
    name: 'UNKNOWN_TOPIC_OR_PARTITION',
    reaction: 'find-leader',
    meaning: 'the broker does not have this partition',
  },
  5: { name: 'LEADER_NOT_AVAILABLE', reaction: 'find-leader', meaning: 'the partition has no leader at the moment' },
  6: { name: 'NOT_LEADER_OR_FOLLOWER', reaction: 'find-leader', meaning: 'the leader of the partition has moved' },
  7: { name: 'REQUEST_TIMED_OUT', reaction: 'repeat', meaning: 'the replicas did not acknowledge in time' },
  10: {
    name: 'MESSAGE_TOO_LARGE',
    reaction: 'refused',
    meaning: 'a record batch is larger than the topic allows',
    remedy: 'lower kafka.maxBatchBytes below max.message.bytes of topic {topic}, or raise max.message.bytes',
  },
  12: {
    name: 'OFFSET_METADATA_TOO_LARGE',
    reaction: 'refused',
    meaning: 'the metadata of the position is longer than the broker allows',
    remedy: 'raise offset.metadata.max.bytes of the brokers to its default, 4096',
  },
  13: { name: 'NETWORK_EXCEPTION', reaction: 'repeat', meaning: 'the broker lost its connection to the coordinator' },
  14: { name: 'COORDINATOR_LOAD_IN_PROGRESS', reaction: 'repeat', meaning: 'the coordinator is loading its state' },
  15: { name: 'COORDINATOR_NOT_AVAILABLE', reaction: 'find-coordinator', meaning: 'the coordinator is not available' },
  16: { name: 'NOT_COORDINATOR', reaction: 'find-coordinator', meaning: 'the coordinator has moved' },
  17: {
    name: 'INVALID_TOPIC_EXCEPTION',
    reaction: 'refused',
    meaning: 'the topic is reserved for the cluster or its name is not allowed',
    remedy: 'choose another topic in kafka.topics',
  },
  18: {
    name: 'RECORD_LIST_TOO_LARGE',
    reaction: 'refused',
    meaning: 'a record batch is larger than a segment of the log',
    remedy: 'lower kafka.maxBatchBytes below segment.bytes of topic {topic}, or raise segment.bytes',
  },
  19: {
    name: 'NOT_ENOUGH_REPLICAS',
    reaction: 'repeat',
    meaning: 'fewer replicas are in sync than min.insync.replicas demands',
  },
  20: {
    name: 'NOT_ENOUGH_REPLICAS_AFTER_APPEND',
    reaction: 'repeat',
    meaning: 'fewer replicas are in sync than min.insync.replicas demands',
  },
  21: { name: 'INVALID_REQUIRED_ACKS', reaction: 'new-producer', meaning: 'the broker does not know acks=all' },
  22: { name: 'ILLEGAL_GENERATION', reaction: 'new-producer', meaning: 'the group {group} has another generation' },
  24: { name: 'INVALID_GROUP_ID', reaction: 'new-producer', meaning: 'the broker does not allow the group {group}' },
  25: { name: 'UNKNOWN_MEMBER_ID', reaction: 'new-producer', meaning: 'the group {group} has members' },
  28: {
    name: 'INVALID_COMMIT_OFFSET_SIZE',
    reaction: 'new-producer',
    meaning: 'the broker could not append the position to the topic __consumer_offsets',
  },
  29: {
    name: 'TOPIC_AUTHORIZATION_FAILED',
    reaction: 'refused',
    meaning: 'this user lacks a right on topic {topic}',
    remedy: 'grant {operation} on topic {topic}',
  },
  30: {
    name: 'GROUP_AUTHORIZATION_FAILED',
    reaction: 'refused',
    meaning: 'this user lacks a right on group {group}',
    remedy: 'grant Read on {groups}',
  },
  31: {
    name: 'CLUSTER_AUTHORIZATION_FAILED',
    reaction: 'refused',
    meaning: 'this user lacks a right on the cluster',
    remedy: 'grant IdempotentWrite on the cluster',
  },
  32: {
    name: 'INVALID_TIMESTAMP',
    reaction: 'refused',
    meaning: 'the time of a record is out of the range that topic {topic} allows',
    remedy: CLOCKS,
  },
  35: {
    name: 'UNSUPPORTED_VERSION',
    reaction: 'new-producer',
    meaning: 'the broker does not support this version of the request any more',
  },
  42: { name: 'INVALID_REQUEST', reaction: 'new-producer', meaning: 'the broker regards the request as invalid' },
  43: {
    name: 'UNSUPPORTED_FOR_MESSAGE_FORMAT',
    reaction: 'refused',
    meaning: 'the message format of topic {topic} has no transactions',
    remedy: 'raise message.format.version of topic {topic} to 0.11 or later',
  },
  44: {
    name: 'POLICY_VIOLATION',
    reaction: 'refused',
    meaning: 'the request violates a policy of the cluster',
    remedy: 'ask those who run the cluster',
  },
  45: {
    name: 'OUT_OF_ORDER_SEQUENCE_NUMBER',
    reaction: 'new-producer',
    meaning: 'the broker misses records that this producer has sent before',
  },
  46: {
    name: 'DUPLICATE_SEQUENCE_NUMBER',
    reaction: 'new-producer',
    meaning: 'the broker has newer records of this producer',
  },
  47: {
    name: 'INVALID_PRODUCER_EPOCH',
    reaction: 'fenced',
    meaning: 'a newer producer has taken over, or the broker has aborted the transaction',
  },
  48: {
    name: 'INVALID_TXN_STATE',
    reaction: 'new-producer',
    meaning: 'the transaction is not in a state that allows the request',
  },
  49: {
    name: 'INVALID_PRODUCER_ID_MAPPING',
    reaction: 'new-producer',
    meaning: 'the transactional id belongs to another producer id, or has expired',
  },
  50: {
    name: 'INVALID_TRANSACTION_TIMEOUT',
    reaction: 'refused',
    meaning: "the transaction timeout is longer than the broker's transaction.max.timeout.ms",
    remedy: 'lower kafka.transactionTimeout, or raise transaction.max.timeout.ms of the brokers',
  },
  51: {
    name: 'CONCURRENT_TRANSACTIONS',
    reaction: 'repeat',
    meaning: 'the broker is still completing the transaction before',
  },
  53: {
    name: 'TRANSACTIONAL_ID_AUTHORIZATION_FAILED',
    reaction: 'refused',
    meaning: 'this user lacks a right on transactional id {transactionalId}',
    remedy: 'grant Write and Describe on transactional id {transactionalId}',
  },
  55: {
    name: 'OPERATION_NOT_ATTEMPTED',
    reaction: 'new-producer',
    meaning: 'the broker refused another partition of the same request',
  },
  56: { name: 'KAFKA_STORAGE_ERROR', reaction: 'find-leader', meaning: "the broker's disk failed" },
  59: {
    name: 'UNKNOWN_PRODUCER_ID',
    reaction: 'new-producer',
    meaning: 'the broker has deleted what it knew of this producer',
  },
  65: {
    name: 'DELEGATION_TOKEN_AUTHORIZATION_FAILED',
    reaction: 'refused',
    meaning: 'this user lacks a right on the delegation token',
    remedy: 'check kafka.sasl',
  },
  69: { name: 'GROUP_ID_NOT_FOUND', reaction: 'new-producer', meaning: 'the group does not exist' },
  74: { name: 'FENCED_LEADER_EPOCH', reaction: 'find-leader', meaning: 'the leader of the partition has changed' },
  75: { name: 'UNKNOWN_LEADER_EPOCH', reaction: 'find-leader', meaning: 'the leader of the partition has changed' },
  76: {
    name: 'UNSUPPORTED_COMPRESSION_TYPE',
    reaction: 'refused',
    meaning: 'the brokers do not support the compression',
    remedy: 'choose another kafka.compression',
  },
  82: {
    name: 'FENCED_INSTANCE_ID',
    reaction: 'new-producer',
    meaning: 'the group {group} has another member with the same static id',
  },
  87: {
    name: 'INVALID_RECORD',
    reaction: 'refused',
    meaning: 'topic {topic} refuses a record',
    remedy: 'check cleanup.policy and the validation of topic {topic}',
  },
  88: {
    name: 'UNSTABLE_OFFSET_COMMIT',
    reaction: 'repeat',
    meaning: 'a transaction that stored an offset is not complete yet',
  },
  90: { name: 'PRODUCER_FENCED', reaction: 'fenced', meaning: 'a newer producer has taken over' },
  105: {
    name: 'TRANSACTIONAL_ID_NOT_FOUND',
    reaction: 'new-producer',
    meaning: 'the coordinator does not know the transactional id',
  },
  120: {
    name: 'TRANSACTION_ABORTABLE',
    reaction: 'new-producer',
    meaning: 'the broker demands that the transaction is aborted',
  },
}

/** Returns the meaning of a code. One that this client does not know leaves the producer in doubt. */
export const meaningOf = (code: number): ErrorMeaning =>
  ERROR_CODES[code] ?? {
    name: `error code ${code}`,
    reaction: 'new-producer',
    meaning: 'the broker answered with an error that this client does not know',
  }
