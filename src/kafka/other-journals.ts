/**
 * Finds the positions that Kafka holds of other journals of this instance. Each journal has a group of its own
 * (docs/adr/0002-position-in-the-transaction.md), so a journal that was put in the place of another one leaves the group of
 * that one behind, until `offsets.retention.minutes` has passed.
 */
import { orTimeout } from '../core/abort.js'
import type { Clock } from '../core/clock.js'
import type { Log } from '../core/log.js'
import { createKafkaClient } from './kafka-client.js'
import { toConnectionError } from './kafka-errors.js'
import type { KafkaSettings } from './settings.js'

export interface OtherJournal {
  readonly id: string
  readonly groupId: string
  /** The sequence number up to which the entries of that journal are published. */
  readonly position: number
}

/** What the search may take, even while brokers answer, in request timeouts. */
const MAX_REQUESTS = 20
/** Journals whose position is read. An instance without a volume leaves one behind at each start. */
const MAX_JOURNALS = 50
/** The id of a journal, as it is made in lmdb-journal.ts. An instance name may hold dots, an id holds none. */
const JOURNAL_ID = /^[0-9a-f]{18}$/

/** @throws ConnectorError KAFKA_UNREACHABLE, KAFKA_REFUSED */
export async function findOtherJournals(
  settings: KafkaSettings,
  journalId: string,
  clock: Clock,
  log: Log,
): Promise<OtherJournal[]> {
  const client = createKafkaClient(settings, clock, log)
  const admin = client.kafka.admin()
  const prefix = `dlr-mo-connector.${settings.instance}.`
  const topic = settings.topics.deadLetter
  const find = async (): Promise<OtherJournal[]> => {
    await admin.connect()
    // Brokers list the groups that this user may read, and leave out the others without an error.
    const { groups } = await admin.listGroups()
    const found: OtherJournal[] = []
    for (const { groupId } of groups) {
      const id = groupId.startsWith(prefix) ? groupId.slice(prefix.length) : ''
      if (!JOURNAL_ID.test(id) || id === journalId || found.length >= MAX_JOURNALS) continue
      const stored = (await admin.fetchOffsets({ groupId, topics: [topic] })).find((each) => each.topic === topic)
      const offset = Number(stored?.partitions.find(({ partition }) => partition === 0)?.offset ?? -1)
      // The stored offset is the sequence number plus one.
      if (offset > 0) found.push({ id, groupId, position: offset - 1 })
    }
    return found
  }
  try {
    const found = await orTimeout(find(), MAX_REQUESTS * settings.requestTimeout, clock)
    if (found === 'timeout') throw new Error('the groups were not listed in time')
    return found
  } catch (error) {
    throw toConnectionError(error, settings.brokers)
  } finally {
    client.destroy()
  }
}
