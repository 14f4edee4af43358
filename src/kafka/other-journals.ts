/**
 * Finds the positions that Kafka holds of other journals of this instance. Each journal has a group of its own
 * (docs/adr/0002-position-in-the-transaction.md), so a journal that was put in the place of another one leaves the group of
 * that one behind, until `offsets.retention.minutes` has passed.
 */
import type { Admin } from 'kafkajs'
import { orTimeout } from '../core/abort.js'
import type { Clock } from '../core/clock.js'
import type { Log } from '../core/log.js'
import { Backoff, retry } from '../core/retry.js'
import { createKafkaClient } from './kafka-client.js'
import { hasErrorType, toConnectionError } from './kafka-errors.js'
import { KafkajsBrokers } from './kafkajs-workarounds/kafkajs-cluster.js'
import { offsetFetchRequest } from './protocol/requests.js'
import { RequestSender } from './request-sender.js'
import type { KafkaSettings } from './settings.js'
import { Throttle } from './throttle.js'

export interface OtherJournal {
  readonly id: string
  readonly groupId: string
  /** The sequence number up to which the entries of that journal are published. */
  readonly position: number
}

/** The partition of the dead-letter topic under which positions are stored (exactly-once-publisher.ts). */
const POSITION_PARTITION = 0

/** What the search may take, even while brokers answer, in request timeouts. */
const MAX_REQUESTS = 20
/** Journals whose position is read. An instance without a volume leaves one behind at each start. */
const MAX_JOURNALS = 50
/** The id of a journal, as it is made in lmdb-journal.ts. An instance name may hold dots, an id holds none. */
const JOURNAL_ID = /^[0-9a-f]{18}$/

/** The position that Kafka holds of a journal. */
export interface StoredPosition {
  /** The sequence number up to which the entries are published. */
  readonly position: number
  /** How far the entry behind it is published, as it was stored with the offset. */
  readonly metadata: string
}

/** @throws ConnectorError KAFKA_UNREACHABLE, KAFKA_REFUSED */
export function findOtherJournals(
  settings: KafkaSettings,
  journalId: string,
  clock: Clock,
  log: Log,
): Promise<OtherJournal[]> {
  const prefix = groupPrefix(settings)
  return withAdmin(settings, clock, log, async (admin) => {
    // Brokers list the groups that this user may read, and leave out the others without an error.
    const { groups } = await admin.listGroups()
    const found: OtherJournal[] = []
    for (const { groupId } of groups) {
      const id = groupId.startsWith(prefix) ? groupId.slice(prefix.length) : ''
      if (!JOURNAL_ID.test(id) || id === journalId || found.length >= MAX_JOURNALS) continue
      const stored = await fetchPosition(admin, groupId, settings)
      if (stored !== null) found.push({ id, groupId, position: stored.position })
    }
    return found
  })
}

/** The brokers abort a transaction so long after its timeout at the latest, if they have their default settings. */
const MAX_ABORT_DELAY_MS = 15_000

/**
 * Returns the position of a journal, once no transaction is open that stored another one: a connector that was killed may have left
 * one behind, which was committed or is aborted by the brokers after `kafka.transactionTimeout`.
 *
 * @returns null if Kafka holds no position of the journal under this instance
 * @throws ConnectorError KAFKA_UNREACHABLE, KAFKA_REFUSED
 */
export async function fetchJournalPosition(
  settings: KafkaSettings,
  journalId: string,
  clock: Clock,
  log: Log,
): Promise<StoredPosition | null> {
  const { brokers: addresses, requestTimeout, transactionTimeout } = settings
  const groupId = `${groupPrefix(settings)}${journalId}`
  const request = offsetFetchRequest(groupId, settings.topics.deadLetter, POSITION_PARTITION)
  const client = createKafkaClient(settings, clock, log)
  const giveUpAt = clock.monotonic() + transactionTimeout + MAX_ABORT_DELAY_MS
  try {
    const times = { requestTimeoutMs: requestTimeout, connectTimeoutMs: MAX_REQUESTS * requestTimeout }
    const brokers = new KafkajsBrokers(client.kafka, times, clock)
    const throttle = new Throttle(clock, { throttled: () => undefined })
    const sender = new RequestSender({ brokers, throttle, clock, signal: NEVER_ABORTED }, requestTimeout)
    const { offset, metadata } = await retry(() => sender.sendToCoordinator('group', groupId, request), {
      clock,
      signal: NEVER_ABORTED,
      backoff: new Backoff(OPEN_TRANSACTION_DELAYS),
      shouldRetry: (error) => hasErrorType(error, OPEN_TRANSACTION) && clock.monotonic() < giveUpAt,
    })
    return toStoredPosition(Number(offset), metadata)
  } catch (error) {
    throw toConnectionError(error, addresses)
  } finally {
    client.destroy()
  }
}

const NEVER_ABORTED = new AbortController().signal
const OPEN_TRANSACTION: ReadonlySet<string> = new Set(['UNSTABLE_OFFSET_COMMIT'])
const OPEN_TRANSACTION_DELAYS = { firstMs: 100, longestMs: 1_000 }

const groupPrefix = ({ instance }: KafkaSettings): string => `dlr-mo-connector.${instance}.`

async function fetchPosition(
  admin: Admin,
  groupId: string,
  { topics: { deadLetter } }: KafkaSettings,
): Promise<StoredPosition | null> {
  const stored = (await admin.fetchOffsets({ groupId, topics: [deadLetter] })).find(({ topic }) => topic === deadLetter)
  const found = stored?.partitions.find(({ partition }) => partition === POSITION_PARTITION)
  return toStoredPosition(Number(found?.offset ?? -1), found?.metadata)
}

/** The stored offset is the sequence number plus one; without one there is no position. */
const toStoredPosition = (offset: number, metadata: string | null | undefined): StoredPosition | null =>
  offset > 0 ? { position: offset - 1, metadata: metadata ?? '' } : null

async function withAdmin<T>(
  settings: KafkaSettings,
  clock: Clock,
  log: Log,
  use: (admin: Admin) => Promise<T>,
): Promise<T> {
  const client = createKafkaClient(settings, clock, log)
  const admin = client.kafka.admin()
  const connectAndUse = async (): Promise<T> => {
    await admin.connect()
    return use(admin)
  }
  try {
    const found = await orTimeout(connectAndUse(), MAX_REQUESTS * settings.requestTimeout, clock)
    if (found === 'timeout') throw new Error('the groups were not read in time')
    return found
  } catch (error) {
    throw toConnectionError(error, settings.brokers)
  } finally {
    client.destroy()
  }
}
