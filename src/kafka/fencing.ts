/**
 * Decides why a producer was fenced. The broker answers INVALID_PRODUCER_EPOCH in three cases:
 *
 * - Another process with the same transactional id took over: this process must stop (exit code 4).
 * - The broker aborted the transaction at its timeout, because this process or the broker was stopped.
 * - The broker handled a late request of this process: InitProducerId of a producer that was destroyed before its response came.
 *
 * Only the first case ends the process, and only if the other two are excluded. Otherwise the producer is in doubt, which `open`
 * resolves.
 */
import type { Clock } from '../core/clock.js'
import { isBrokerResponse, isFenced } from './kafka-errors.js'

/**
 * How long after InitProducerId was answered an unanswered one of an earlier producer may still be handled. After that time the
 * broker, which has answered the newer request, has read everything from its older connections.
 */
const UNANSWERED_INIT_MS = 30_000

export class Fencing {
  readonly #clock: Clock
  readonly #certainForMs: number
  /** The start of the current transaction by both clocks, because the monotonic clock may stop while the machine sleeps. */
  #transactionStart = { monotonic: 0, wall: 0 }
  #hasUnansweredInit = false
  #initialisedAt = 0

  /** @param transactionTimeout the broker's timeout of the transactions, in milliseconds */
  constructor(clock: Clock, transactionTimeout: number) {
    this.#clock = clock
    this.#certainForMs = transactionTimeout / 2
  }

  /** Runs an operation that sends InitProducerId, and remembers whether its outcome stays unknown. */
  async trackInitProducerId<T>(operation: () => Promise<T>): Promise<T> {
    const wasUnanswered = this.#hasUnansweredInit
    this.#hasUnansweredInit = true
    try {
      const result = await operation()
      this.#hasUnansweredInit = wasUnanswered
      this.#initialisedAt = this.#clock.monotonic()
      return result
    } catch (error) {
      if (isBrokerResponse(error)) this.#hasUnansweredInit = wasUnanswered
      throw error
    }
  }

  /** Call it before the first request of a transaction, so that this time starts before the broker's. */
  markTransactionStart(): void {
    this.#transactionStart = { monotonic: this.#clock.monotonic(), wall: this.#clock.now() }
    if (this.#hasUnansweredInit && this.#clock.monotonic() - this.#initialisedAt > UNANSWERED_INIT_MS)
      this.#hasUnansweredInit = false
  }

  /** Whether this error of a transaction proves that another process took over. */
  isReplaced(error: unknown): boolean {
    if (!isFenced(error) || this.#hasUnansweredInit) return false
    const monotonic = this.#clock.monotonic() - this.#transactionStart.monotonic
    const wall = this.#clock.now() - this.#transactionStart.wall
    return monotonic < this.#certainForMs && wall < this.#certainForMs
  }
}
