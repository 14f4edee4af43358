/**
 * Finds out which rights of this user are missing, for `check`. Nothing is written, consumed or fenced, and no group is joined.
 *
 * A broker returns the operations that a user is authorised for on a topic (KIP-430). For transactional ids and groups there is
 * no such question, so two requests are sent that the broker authorises first and then must refuse: AddOffsetsToTxn with a
 * producer id that no producer has, and Heartbeat of a member that no group has. The transaction and the group of a running
 * connector are not affected. InitProducerId would fence it, and FindCoordinator might create an internal topic.
 */
import type { Clock } from '../core/clock.js'
import type { Log } from '../core/log.js'
import { createKafkaClient } from './kafka-client.js'
import { toConnectionError } from './kafka-errors.js'
import { type BrokerConnection, KafkajsBrokers } from './kafkajs-workarounds/kafkajs-cluster.js'
import { MAX_SILENT_TIMEOUTS, withDeadline } from './kafkajs-workarounds/operation-deadline.js'
import { APIS, chooseVersion } from './protocol/apis.js'
import { addOffsetsToTxnRequest, heartbeatRequest, metadataRequest, type ProtocolRequest } from './protocol/requests.js'
import type { KafkaSettings } from './settings.js'

/** The operations that are required on topics, with their codes in `AclOperation.java`. */
const OPERATION_CODES = { Read: 3, Write: 4 } as const

type Operation = keyof typeof OPERATION_CODES

export interface RequiredRights {
  /** The operations on each topic. */
  readonly topics: ReadonlyMap<string, readonly Operation[]>
  /** Write is required on it. */
  readonly transactionalId?: string
  /** Read is required on each: a group to ask about, and the words for the groups that it stands for. */
  readonly groups: ReadonlyMap<string, string>
}

/** What commands and connectors need in order to read the marks of replays and to write them. */
export const rightsOnMarks = (topic: string): RequiredRights => ({
  topics: new Map([[topic, ['Read', 'Write']]]),
  groups: new Map(),
})

export interface RightsReport {
  /** Each as in `Write on topic sms.dlr`. */
  readonly missing: readonly string[]
  /** Sentences on what could not be found out. */
  readonly unknown: readonly string[]
}

/** Producer ids are given out in ascending order from 0, so that no producer has this one. */
const NO_PRODUCER = { producerId: 2n ** 62n, producerEpoch: 0 }
const NO_GENERATION_ID = -1
const NO_MEMBER_ID = 'dlr-mo-connector-check'

const TOPIC_AUTHORIZATION_FAILED = 29
const GROUP_AUTHORIZATION_FAILED = 30
const TRANSACTIONAL_ID_AUTHORIZATION_FAILED = 53

/** The number of requests, including those that connect. */
const MAX_REQUESTS = 10

/** @throws ConnectorError KAFKA_UNREACHABLE, KAFKA_REFUSED */
export async function findMissingRights(
  settings: KafkaSettings,
  required: RequiredRights,
  clock: Clock,
  log: Log,
): Promise<RightsReport> {
  const client = createKafkaClient(settings, clock, log)
  const { requestTimeout } = settings
  const maxTotalMs = requestTimeout * MAX_REQUESTS
  try {
    const times = { requestTimeoutMs: requestTimeout, connectTimeoutMs: maxTotalMs }
    const brokers = new KafkajsBrokers(client.kafka, times, clock)
    return await withDeadline(
      brokers.findAny().then((broker) => askBroker(broker, required)),
      {
        maxSilenceMs: requestTimeout * MAX_SILENT_TIMEOUTS,
        maxTotalMs,
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

async function askBroker(broker: BrokerConnection, required: RequiredRights): Promise<RightsReport> {
  const missing: string[] = []
  const unknown: string[] = []
  const operationsOf = await fetchAuthorizedOperations(broker, [...required.topics.keys()])
  if (operationsOf === undefined) unknown.push('the rights on topics, which brokers before Kafka 2.3 do not tell')
  for (const [topic, operations] of required.topics) {
    const authorized = operationsOf?.get(topic)
    if (authorized === undefined) {
      if (operationsOf !== undefined) unknown.push(`the rights on topic ${topic}, which does not exist yet`)
      continue
    }
    for (const operation of operations) {
      const isAuthorized = (authorized & (1 << OPERATION_CODES[operation])) !== 0
      if (!isAuthorized) missing.push(`${operation} on topic ${topic}`)
    }
  }
  const { transactionalId, groups } = required
  for (const [group, words] of groups) {
    const { errorCode } = await send(broker, heartbeatRequest(group, NO_GENERATION_ID, NO_MEMBER_ID))
    if (errorCode === GROUP_AUTHORIZATION_FAILED) missing.push(`Read on ${words}`)
  }
  const [groupId] = groups.keys()
  if (transactionalId !== undefined && groupId !== undefined) {
    const { errorCode } = await send(broker, addOffsetsToTxnRequest(transactionalId, NO_PRODUCER, groupId))
    const isRefused = errorCode === TRANSACTIONAL_ID_AUTHORIZATION_FAILED
    if (isRefused) missing.push(`Write on transactional id ${transactionalId}`)
  }
  return { missing, unknown }
}

/**
 * Returns the operations on each topic, as bits: 0 for a topic that this user may not even describe, and nothing for one that does
 * not exist.
 * @returns undefined if the broker is older than Kafka 2.3, which can't be asked
 */
async function fetchAuthorizedOperations(
  broker: BrokerConnection,
  names: readonly string[],
): Promise<ReadonlyMap<string, number> | undefined> {
  if ((broker.versions[APIS.metadata.key]?.maxVersion ?? 0) < APIS.metadata.minVersion) return undefined
  const { topics } = await send(broker, metadataRequest(names))
  return new Map(
    topics.flatMap(({ topic, errorCode, authorizedOperations }) => {
      if (errorCode === TOPIC_AUTHORIZATION_FAILED) return [[topic, 0]]
      return errorCode === 0 && authorizedOperations !== undefined ? [[topic, authorizedOperations]] : []
    }),
  )
}

/** Sends a request that belongs to no transaction. */
const send = <T>(broker: BrokerConnection, request: ProtocolRequest<T>): Promise<T> =>
  broker.send(request, chooseVersion(request.api, broker.versions, 0))
