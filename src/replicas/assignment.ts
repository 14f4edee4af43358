/** Maps sources to the partitions of the sharing topic, which the consumer group assigns to replicas. */
import { hash } from 'node:crypto'

/**
 * Returns the partition that represents a source. It depends on the name alone, so that all replicas agree even if they are
 * configured with different sources, as during a rolling update.
 */
export const partitionOf = (source: string, partitions: number): number =>
  Buffer.from(hash('sha256', source, 'hex').slice(0, 8), 'hex').readUInt32BE() % partitions

export interface Assignment {
  /** The partitions that the group has assigned to this replica. */
  readonly assigned: readonly number[]
  /** The number of partitions of the sharing topic. */
  readonly partitions: number
}

/** Returns those of the sources whose partitions are assigned. */
export const sourcesOf = (sources: readonly string[], { assigned, partitions }: Assignment): ReadonlySet<string> =>
  new Set(sources.filter((source) => assigned.includes(partitionOf(source, partitions))))
