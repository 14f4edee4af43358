/** Which partition of the sharing topic stands for a source. */
import { hash } from 'node:crypto'

/**
 * By the name alone: the same for every replica, also while they are configured with different sources, as during a
 * rolling update.
 */
export const partitionOf = (source: string, partitions: number): number =>
  Buffer.from(hash('sha256', source, 'hex').slice(0, 8), 'hex').readUInt32BE() % partitions

/** The partitions that a member of the group was assigned, of so many. */
export interface Assignment {
  readonly assigned: readonly number[]
  readonly partitions: number
}

export const sourcesOf = (sources: readonly string[], { assigned, partitions }: Assignment): ReadonlySet<string> =>
  new Set(sources.filter((source) => assigned.includes(partitionOf(source, partitions))))
