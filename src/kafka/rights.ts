/**
 * Finds out which rights of this user are missing, for `check`. Nothing is written, consumed or fenced, and no group is joined.
 *
 * A broker returns the operations that a user is authorised for on a topic (KIP-430). For transactional ids and groups there is
 * no such question, so two requests are sent that the broker authorises first and then must refuse: AddOffsetsToTxn with a
 * producer id that no producer has, and Heartbeat of a member that no group has. The transaction and the group of a running
 * connector are not affected. InitProducerId would fence it, and FindCoordinator might create an internal topic.
 */
import type { Logger } from 'pino'
import type { Clock } from '../core/clock.js'
import { createKafkaClient } from './kafka-client.js'
import { hasErrorType, isBrokerResponse, toConnectionError } from './kafka-errors.js'
import {
  connectToBroker,
  fetchTopicAuthorizations,
  type KafkajsBroker,
  type Operation,
} from './kafkajs-workarounds/authorized-operations.js'
import { MAX_SILENT_TIMEOUTS, withDeadline } from './kafkajs-workarounds/operation-deadline.js'
import type { KafkaSettings } from './settings.js'

export interface RequiredRights {
  /** The operations on each topic. */
  readonly topics: ReadonlyMap<string, readonly Operation[]>
  /** Write is required on it. */
  readonly transactionalId?: string
  /** Read is required on each. */
  readonly groups: readonly string[]
}

export interface RightsReport {
  /** Each as in `Write on topic sms.dlr`. */
  readonly missing: readonly string[]
  /** Sentences on what could not be found out. */
  readonly unknown: readonly string[]
}

/** Producer ids are given out in ascending order from 0, so that no producer has this one. */
const NO_PRODUCER_ID = String(2n ** 62n)
const NO_MEMBER_ID = 'dlr-mo-connector-check'

const GROUP_REFUSED: ReadonlySet<string> = new Set(['GROUP_AUTHORIZATION_FAILED'])
const TRANSACTIONAL_ID_REFUSED: ReadonlySet<string> = new Set(['TRANSACTIONAL_ID_AUTHORIZATION_FAILED'])

/** The number of requests, including those that connect. */
const MAX_REQUESTS = 10

/** @throws ConnectorError KAFKA_UNREACHABLE, KAFKA_REFUSED */
export async function findMissingRights(
  settings: KafkaSettings,
  required: RequiredRights,
  clock: Clock,
  log: Logger,
): Promise<RightsReport> {
  const client = createKafkaClient(settings, clock, log)
  try {
    return await withDeadline(
      connectToBroker(client.kafka).then((broker) => askBroker(broker, required)),
      {
        maxSilenceMs: settings.requestTimeout * MAX_SILENT_TIMEOUTS,
        maxTotalMs: settings.requestTimeout * MAX_REQUESTS,
        lastReceivedAt: client.lastReceivedAt,
      },
      'asking for the rights',
      clock,
    )
  } catch (error) {
    throw toConnectionError(error, settings.brokers)
  } finally {
    client.destroy()
  }
}

async function askBroker(broker: KafkajsBroker, required: RequiredRights): Promise<RightsReport> {
  const missing: string[] = []
  const unknown: string[] = []
  const authorizations = await fetchTopicAuthorizations(broker, [...required.topics.keys()])
  if (authorizations === undefined) unknown.push('the rights on topics, which brokers before Kafka 2.3 do not tell')
  for (const [topic, operations] of required.topics) {
    const authorized = authorizations?.get(topic)
    if (authorized === undefined) continue
    for (const operation of operations) if (!authorized.has(operation)) missing.push(`${operation} on topic ${topic}`)
  }
  const { transactionalId, groups } = required
  for (const group of groups) {
    const heartbeat = broker.heartbeat({ groupId: group, groupGenerationId: -1, memberId: NO_MEMBER_ID })
    if (await isRefusedWith(GROUP_REFUSED, heartbeat)) missing.push(`Read on group ${group}`)
  }
  const [groupId] = groups
  if (transactionalId !== undefined && groupId !== undefined) {
    const producer = { transactionalId, producerId: NO_PRODUCER_ID, producerEpoch: 0 }
    const isRefused = await isRefusedWith(TRANSACTIONAL_ID_REFUSED, broker.addOffsetsToTxn({ ...producer, groupId }))
    if (isRefused) missing.push(`Write on transactional id ${transactionalId}`)
  }
  return { missing, unknown }
}

/** @throws whatever is no answer of a broker */
async function isRefusedWith(types: ReadonlySet<string>, request: Promise<unknown>): Promise<boolean> {
  try {
    await request
    return false
  } catch (error) {
    if (!isBrokerResponse(error)) throw error
    return hasErrorType(error, types)
  }
}
