/**
 * How much work the connector may do, as `npm run bench:smoke` counts it. Each limit is what was counted when it was set. Lower it
 * when the connector does less, so that the work can't grow again unnoticed.
 */

export interface WorkLimit {
  /** The most that passes. */
  readonly limit: number
  /** What is counted, and why it is so much. */
  readonly reason: string
}

export const WORK_LIMITS = {
  brokerRequestsPerPage: {
    limit: 3,
    reason:
      'Requests to Kafka for a page of 1,000 rows, which is one transaction: the position, the records, and the commit.',
  },
  brokerRequestsPerCallback: {
    limit: 3,
    reason: 'Requests to Kafka for a callback that arrives alone, which is one transaction too.',
  },
  journalCommitsPerPage: {
    limit: 2,
    reason:
      'One fsync takes a page into custody before the next is asked for, and one releases it after it was published.',
  },
  journalCommitsPerCallback: {
    limit: 2,
    reason: 'One fsync takes a callback into custody before its answer, and one releases it after it was published.',
  },
  registryRequestsAtStart: {
    limit: 18,
    reason:
      'Six requests for each of the three subjects, which are new: its schemas are read, ours is tested and registered.',
  },
  registryRequestsWhilePublishing: {
    limit: 0,
    reason: 'Schema ids are remembered, so that publishing needs no registry.',
  },
  heapKilobytesPer1000Items: {
    limit: 13_800,
    reason:
      'Objects and strings from the page to the record, without optimising compiler; a tenth above the count, because versions of V8 differ.',
  },
} as const satisfies Record<string, WorkLimit>

export type WorkName = keyof typeof WORK_LIMITS
export type WorkCount = Readonly<Record<WorkName, number>>

/** The names of the counts that are above their limits, or are no numbers. */
export const findExceeded = (counts: WorkCount): WorkName[] =>
  (Object.keys(WORK_LIMITS) as WorkName[]).filter((name) => !(counts[name] <= WORK_LIMITS[name].limit))
