/** The partition of a key as Java's default partitioner computes it (murmur2), so that other producers agree with us. */
import { type PartitionMetadata, Partitioners } from 'kafkajs'
import type { Partitioner } from './sends.js'

/** @param partitions how many each topic has at this moment */
export function javaPartitioner(partitions: ReadonlyMap<string, number>): Partitioner {
  const choose = Partitioners.DefaultPartitioner()
  // Of the metadata only its length counts where there is a key, and there always is.
  const lists = new Map<number, PartitionMetadata[]>()
  return (topic, key) => {
    const count = partitions.get(topic)
    if (count === undefined) throw new Error(`topic ${topic} is not one of those that were opened`)
    let partitionMetadata = lists.get(count)
    if (!partitionMetadata) lists.set(count, (partitionMetadata = new Array<PartitionMetadata>(count)))
    return choose({ topic, partitionMetadata, message: { key, value: null } })
  }
}
