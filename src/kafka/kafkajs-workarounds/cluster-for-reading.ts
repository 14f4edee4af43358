/**
 * The internals of kafkajs 2.2.4 that read partitions without a consumer group.
 *
 * Defect: a consumer of kafkajs can only read as a member of a group. Effect: whoever wants to look at a topic needs the right
 * Read on a group, waits for the group to form, and leaves a group behind. kafkajs also lets records of aborted transactions
 * through where a read starts inside several of them, so `../committed-record-reader.ts` leaves them out itself.
 *
 * This file can go when kafkajs has a consumer with assigned partitions, or when the client no longer is kafkajs.
 */
import type { IHeaders, Kafka } from 'kafkajs'
import { createKafkajsCluster, type KafkajsCluster } from './kafkajs-cluster.js'

/** `isolation.level` in requests. */
export const READ_UNCOMMITTED = 0
export const READ_COMMITTED = 1

/** A record as the fetch response carries it, control records (commit and abort markers) included. */
export interface FetchedMessage {
  readonly offset: string
  /** Milliseconds since the epoch. */
  readonly timestamp: string
  readonly key: Buffer | null
  readonly value: Buffer | null
  readonly headers?: IHeaders
  readonly isControlRecord: boolean
  readonly batchContext: { readonly producerId: string; readonly inTransaction: boolean }
}

export interface AbortedTransaction {
  readonly producerId: string
  readonly firstOffset: string
}

/** The records of one partition in a fetch response. */
export interface FetchedPartition {
  readonly partition: number
  /** The first offset that belongs to a transaction which is still open. */
  readonly lastStableOffset: string
  readonly abortedTransactions: readonly AbortedTransaction[] | null
  readonly messages: readonly FetchedMessage[]
}

interface TopicRequest<Partition> {
  readonly topic: string
  readonly partitions: readonly Partition[]
}

interface TopicResponse<Partition> {
  readonly partitions: readonly Partition[]
}

interface ReadingBroker {
  fetch(request: {
    readonly isolationLevel: number
    readonly maxWaitTime: number
    readonly minBytes: number
    readonly maxBytes: number
    readonly topics: readonly TopicRequest<{
      readonly partition: number
      readonly fetchOffset: string
      readonly maxBytes: number
    }>[]
  }): Promise<{ readonly responses: readonly (TopicResponse<FetchedPartition> & { readonly topicName: string })[] }>
  listOffsets(request: {
    readonly isolationLevel: number
    readonly topics: readonly TopicRequest<{ readonly partition: number; readonly timestamp: number }>[]
  }): Promise<{
    readonly responses: readonly (TopicResponse<{ readonly partition: number; readonly offset: string }> & {
      readonly topic: string
    })[]
  }>
}

export interface ReadingCluster extends Omit<KafkajsCluster, 'findBroker'> {
  findBroker(options: { readonly nodeId: string }): Promise<ReadingBroker>
}

/** @throws Error if the installed kafkajs has other internals */
export const createClusterForReading = (kafka: Kafka): ReadingCluster =>
  createKafkajsCluster(kafka) as unknown as ReadingCluster
