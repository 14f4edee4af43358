/**
 * Keeps the pauses that brokers ask for when a quota is exceeded (KIP-219). A broker answers at once, names the pause in its
 * response, and does not read from the connection until it has passed. A request that is sent meanwhile would only time out,
 * and the same bytes would be sent again and use up the quota again.
 *
 * The pauses belong to the user and the client id, and outlive a producer and its connections.
 */
import type { Clock } from '../core/clock.js'
import type { PublisherObserver } from '../core/observers.js'

/** The pause would be longer than what is left of the transaction. */
export class ThrottledTooLongError extends Error {
  override readonly name = 'ThrottledTooLongError'

  constructor(waitMs: number) {
    super(
      `Kafka throttles this client for another ${Math.ceil(waitMs / 1_000)} s because of a quota, which is more than what is ` +
        'left of kafka.transactionTimeout; the transaction is repeated with fewer records, or raise the quota (producer_byte_rate)',
    )
  }
}

export class Throttle {
  readonly #clock: Clock
  readonly #observer: PublisherObserver
  /** By node id, in monotonic milliseconds. */
  readonly #pausedUntil = new Map<number, number>()

  constructor(clock: Clock, observer: PublisherObserver) {
    this.#clock = clock
    this.#observer = observer
  }

  /** Notes what a response of a broker asks for. */
  note(nodeId: number, throttleTimeMs: number): void {
    if (throttleTimeMs <= 0) return
    this.#pausedUntil.set(
      nodeId,
      Math.max(this.#pausedUntil.get(nodeId) ?? 0, this.#clock.monotonic() + throttleTimeMs),
    )
    this.#observer.throttled(throttleTimeMs)
  }

  /**
   * Resolves when a request may be sent to the broker.
   * @param latest the monotonic time after which the request is worth nothing any more
   * @throws ThrottledTooLongError at once if the pause is longer
   */
  async wait(nodeId: number, signal: AbortSignal, latest = Infinity): Promise<void> {
    const until = this.#pausedUntil.get(nodeId)
    if (until === undefined) return
    const waitMs = until - this.#clock.monotonic()
    if (waitMs > 0) {
      if (until > latest) throw new ThrottledTooLongError(waitMs)
      await this.#clock.sleep(waitMs, signal)
      if (signal.aborted) throw new Error('the producer was closed while Kafka throttled it')
    }
    if (this.#pausedUntil.get(nodeId) === until) this.#pausedUntil.delete(nodeId)
  }
}
