/** The partition of a key as Java's default partitioner computes it (murmur2), so that other producers agree with us. */
import { type PartitionMetadata, Partitioners } from 'kafkajs'
import type { Partitioner } from './sends.js'

/** @param partitions how many each topic has */
export function javaPartitioner(partitions: ReadonlyMap<string, number>): Partitioner {
  const choose = Partitioners.DefaultPartitioner()
  const lists = new Map([...partitions].map(([topic, count]) => [topic, new Array<PartitionMetadata>(count)]))
  return (topic, key) => {
    const partitionMetadata = lists.get(topic)
    if (!partitionMetadata) throw new Error(`topic ${topic} is not one of those that were opened`)
    // Of the metadata only its length counts where there is a key, and there always is.
    return choose({ topic, partitionMetadata, message: { key, value: null } })
  }
}
