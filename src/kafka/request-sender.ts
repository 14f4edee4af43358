/**
 * Sends requests to the right broker, remembers coordinators, and repeats a request whose answer allows that.
 *
 * Only answered requests are repeated; `protocol/error-codes.ts` explains why that is safe. A lost connection or a missing
 * response is thrown, and leaves the producer in doubt (invariant 7). A connection that can't be established is tried again,
 * because nothing has been sent then.
 */
import type { Clock } from '../core/clock.js'
import { Backoff, retry } from '../core/retry.js'
import { BrokerError, type BrokerFailure, type RequestSubject } from './broker-error.js'
import { isRefusedByBroker } from './kafka-errors.js'
import type { BrokerConnection, KafkajsBrokers } from './kafkajs-workarounds/kafkajs-cluster.js'
import { APIS, chooseVersion, offersLevel2 } from './protocol/apis.js'
import { meaningOf, type Reaction } from './protocol/error-codes.js'
import {
  apiVersionsRequest,
  type CoordinatorType,
  findCoordinatorRequest,
  type ProtocolRequest,
  type Throttled,
  type WithErrorCode,
  type WithPartitionErrors,
} from './protocol/requests.js'
import type { Throttle } from './throttle.js'

export interface RequestSenderDeps {
  readonly brokers: Pick<KafkajsBrokers, 'find' | 'findAny' | 'refreshMetadata'>
  readonly throttle: Throttle
  readonly clock: Clock
  /** Ends every wait between two attempts. */
  readonly signal: AbortSignal
}

/** The feature whose level decides which transaction protocol a cluster has. */
const TRANSACTION_VERSION = 'transaction.version'

/** While the transaction before completes, which usually takes a few milliseconds. */
const CONCURRENT_TRANSACTIONS_DELAYS = { firstMs: 1, longestMs: 50 }
const OTHER_DELAYS = { firstMs: 20, longestMs: 500 }

/** For so many request timeouts a request is repeated while its answers allow that. */
export const PATIENCE_TIMEOUTS = 3

export interface SendOptions {
  /** The level of `transaction.version` that the transaction uses. */
  readonly level?: number
  /** The monotonic time after which the request is worth nothing any more. */
  readonly latest?: number
  /** What the request is about, for errors. */
  readonly subject?: RequestSubject
}

export class RequestSender {
  readonly #deps: RequestSenderDeps
  /** How long a request is repeated while its answers allow that, in milliseconds. */
  readonly #patienceMs: number
  /** How long connecting to a broker is tried again, in milliseconds. */
  readonly #connectPatienceMs: number
  /** The node ids of coordinators, by type and key. */
  readonly #coordinators = new Map<string, number>()

  /** @param requestTimeoutMs how long one request may take */
  constructor(deps: RequestSenderDeps, requestTimeoutMs: number) {
    this.#deps = deps
    this.#connectPatienceMs = requestTimeoutMs
    this.#patienceMs = PATIENCE_TIMEOUTS * requestTimeoutMs
  }

  /** Sends a request to the coordinator of a group or transactional id. */
  sendToCoordinator<T extends WithErrorCode | WithPartitionErrors>(
    type: CoordinatorType,
    key: string,
    request: ProtocolRequest<T>,
    options: SendOptions = {},
  ): Promise<T> {
    const subject = { [type === 'group' ? 'group' : 'transactionalId']: key, ...options.subject }
    return this.#repeat(
      () => this.#findCoordinator(type, key),
      request,
      { ...options, subject },
      () => this.#coordinators.delete(`${type} ${key}`),
    )
  }

  /** Sends a request to any broker. */
  sendToAny<T extends WithErrorCode>(request: ProtocolRequest<T>, options: SendOptions = {}): Promise<T> {
    return this.#repeat(
      () => this.#deps.brokers.findAny(),
      request,
      options,
      () => undefined,
    )
  }

  /** Sends a request once, and returns its response whatever error codes it has. */
  async sendOnce<T extends Throttled>(
    connection: BrokerConnection,
    request: ProtocolRequest<T>,
    { level = 0, latest }: SendOptions = {},
  ): Promise<T> {
    const { throttle, signal } = this.#deps
    await throttle.wait(connection.nodeId, signal, latest)
    const response = await connection.send(request, chooseVersion(request.api, connection.versions, level))
    throttle.note(connection.nodeId, response.throttleTimeMs)
    return response
  }

  /**
   * Returns the level of `transaction.version` that is finalized in the cluster, as the coordinator of the transactional id
   * knows it: 2 has the protocol of KIP-890; every lower level, and every older broker, has the one before.
   */
  async fetchTransactionLevel(transactionalId: string): Promise<number> {
    const coordinator = await this.#findCoordinator('transaction', transactionalId)
    const offered = coordinator.versions[APIS.apiVersions.key]?.maxVersion ?? 0
    if (offered < APIS.apiVersions.minVersion || !offersLevel2(coordinator.versions)) return 0
    const { finalizedFeatures } = await this.sendOnce(coordinator, apiVersionsRequest())
    return finalizedFeatures.get(TRANSACTION_VERSION) ?? 0
  }

  async #findCoordinator(type: CoordinatorType, key: string): Promise<BrokerConnection> {
    const { brokers } = this.#deps
    const name = `${type} ${key}`
    let nodeId = this.#coordinators.get(name)
    if (nodeId === undefined) {
      const subject = { [type === 'group' ? 'group' : 'transactionalId']: key }
      nodeId = (await this.sendToAny(findCoordinatorRequest(type, key), { subject })).nodeId
      this.#coordinators.set(name, nodeId)
    }
    try {
      return await brokers.find(nodeId)
    } catch (error) {
      // The coordinator may have moved away from a broker that can't be reached, and a new broker may be unknown so far.
      this.#coordinators.delete(name)
      throw error
    }
  }

  async #repeat<T extends WithErrorCode | WithPartitionErrors>(
    findBroker: () => Promise<BrokerConnection>,
    request: ProtocolRequest<T>,
    options: SendOptions,
    forgetCoordinator: () => void,
  ): Promise<T> {
    const { clock, signal } = this.#deps
    const giveUpAt = Math.min(clock.monotonic() + this.#patienceMs, options.latest ?? Infinity)
    const concurrentDelays = new Backoff(CONCURRENT_TRANSACTIONS_DELAYS)
    const otherDelays = new Backoff(OTHER_DELAYS)
    for (;;) {
      const connection = await this.#connect(findBroker)
      const response = await this.sendOnce(connection, request, options)
      const failure = failureOf(response)
      if (failure === undefined) return response
      const { name, reaction } = meaningOf(failure.errorCode)
      if (!REPEATABLE.has(reaction) || clock.monotonic() >= giveUpAt || signal.aborted) {
        throw new BrokerError(request.api.name, { ...options.subject, ...failure })
      }
      if (reaction === 'find-coordinator') forgetCoordinator()
      if (reaction === 'find-leader') await this.#deps.brokers.refreshMetadata()
      const delays = name === 'CONCURRENT_TRANSACTIONS' ? concurrentDelays : otherDelays
      await clock.sleep(delays.next(), signal)
    }
  }

  /** Connects to a broker. Nothing of a request has been sent yet, so that another attempt is safe whatever the failure was. */
  #connect(findBroker: () => Promise<BrokerConnection>): Promise<BrokerConnection> {
    const { clock, signal } = this.#deps
    const giveUpAt = clock.monotonic() + this.#connectPatienceMs
    return retry(findBroker, {
      clock,
      signal,
      backoff: new Backoff(OTHER_DELAYS),
      shouldRetry: (error) =>
        !(error instanceof BrokerError) && !isRefusedByBroker(error) && clock.monotonic() < giveUpAt,
    })
  }
}

const REPEATABLE: ReadonlySet<Reaction> = new Set<Reaction>(['repeat', 'find-coordinator', 'find-leader'])

/** The code of a partition whose request was not looked at, because another partition of it was refused. */
const OPERATION_NOT_ATTEMPTED = 55

function failureOf(response: WithErrorCode | WithPartitionErrors): BrokerFailure | undefined {
  if ('errorCode' in response) return response.errorCode === 0 ? undefined : { errorCode: response.errorCode }
  const failures = response.partitions.filter(({ errorCode }) => errorCode !== 0)
  return failures.find(({ errorCode }) => errorCode !== OPERATION_NOT_ATTEMPTED) ?? failures[0]
}
