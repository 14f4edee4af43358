/** The requests that this client builds by itself, and their versions (`clients/src/main/resources/common/message` of Kafka). */

export interface Api {
  readonly key: number
  readonly name: string
  /** The versions that `requests.ts` and `produce.ts` can write and read. */
  readonly minVersion: number
  readonly maxVersion: number
  /** The first flexible version (KIP-482). */
  readonly flexibleFrom: number
}

export const APIS = {
  /** From version 9 on flexible. Version 12 adds partitions to a transaction by itself; version 13 has topic ids for names. */
  produce: { key: 0, name: 'Produce', minVersion: 3, maxVersion: 12, flexibleFrom: 9 },
  /** Version 8 has the operations that a user is authorised for (KIP-430), and version 10 the ids of topics (KIP-516). */
  metadata: { key: 3, name: 'Metadata', minVersion: 8, maxVersion: 10, flexibleFrom: 9 },
  /** Version 7 has `RequireStable`; version 8 asks for several groups. */
  offsetFetch: { key: 9, name: 'OffsetFetch', minVersion: 2, maxVersion: 7, flexibleFrom: 6 },
  /** Version 4 asks for several coordinators. */
  findCoordinator: { key: 10, name: 'FindCoordinator', minVersion: 1, maxVersion: 3, flexibleFrom: 3 },
  /** Version 0 has no throttle time. */
  heartbeat: { key: 12, name: 'Heartbeat', minVersion: 1, maxVersion: 4, flexibleFrom: 4 },
  /** Version 3 and later have the finalized features of the cluster. */
  apiVersions: { key: 18, name: 'ApiVersions', minVersion: 3, maxVersion: 3, flexibleFrom: 3 },
  initProducerId: { key: 22, name: 'InitProducerId', minVersion: 0, maxVersion: 5, flexibleFrom: 2 },
  /** "Versions 3 and below will be exclusively used by clients and versions 4 and above will be used by brokers." */
  addPartitionsToTxn: { key: 24, name: 'AddPartitionsToTxn', minVersion: 0, maxVersion: 3, flexibleFrom: 3 },
  addOffsetsToTxn: { key: 25, name: 'AddOffsetsToTxn', minVersion: 0, maxVersion: 4, flexibleFrom: 3 },
  /** Version 5 returns the producer id and epoch of the next transaction. */
  endTxn: { key: 26, name: 'EndTxn', minVersion: 0, maxVersion: 5, flexibleFrom: 3 },
  /** Version 5 adds the group to the transaction by itself. */
  txnOffsetCommit: { key: 28, name: 'TxnOffsetCommit', minVersion: 0, maxVersion: 5, flexibleFrom: 3 },
  describeTransactions: { key: 65, name: 'DescribeTransactions', minVersion: 0, maxVersion: 0, flexibleFrom: 0 },
} as const satisfies Record<string, Api>

export interface VersionRange {
  readonly minVersion: number
  readonly maxVersion: number
}

/** The versions that a broker supports, by API key. */
export type BrokerVersions = Readonly<Record<number, VersionRange>>

/**
 * The versions of requests that belong to the transaction protocol of feature level 2 alone: "If V2 is disabled, the client can't
 * use produce request version higher than 11 within a transaction" (ProduceRequest.json, and likewise for the other two).
 */
const VERSIONS_OF_LEVEL_2: Readonly<Record<number, number>> = {
  [APIS.produce.key]: 12,
  [APIS.txnOffsetCommit.key]: 5,
  [APIS.endTxn.key]: 5,
}

/**
 * Returns the highest version that this client and the broker have in common.
 * @param transactionLevel the level of `transaction.version` that the transaction uses
 * @throws Error if they have none
 */
export function chooseVersion(api: Api, broker: BrokerVersions, transactionLevel: number): number {
  const { minVersion, maxVersion } = versionsAtLevel(api, transactionLevel)
  const offered = broker[api.key]
  const version = Math.min(maxVersion, offered?.maxVersion ?? -1)
  if (version >= minVersion && version >= (offered?.minVersion ?? 0)) return version
  const found = offered ? `versions ${offered.minVersion} to ${offered.maxVersion}` : 'no version'
  throw new Error(`the broker offers ${found} of ${api.name}; this client needs ${minVersion} to ${maxVersion}`)
}

function versionsAtLevel(api: Api, transactionLevel: number): VersionRange {
  const firstOfLevel2 = VERSIONS_OF_LEVEL_2[api.key]
  if (firstOfLevel2 === undefined) return api
  return transactionLevel >= 2
    ? { minVersion: firstOfLevel2, maxVersion: api.maxVersion }
    : { minVersion: api.minVersion, maxVersion: firstOfLevel2 - 1 }
}

/** Whether a broker offers every version that feature level 2 of `transaction.version` needs. */
export const offersLevel2 = (broker: BrokerVersions): boolean =>
  Object.entries(VERSIONS_OF_LEVEL_2).every(([key, version]) => (broker[Number(key)]?.maxVersion ?? -1) >= version)
