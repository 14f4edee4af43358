/**
 * Who fenced us? The broker gives one answer, INVALID_PRODUCER_EPOCH, for three things:
 *  - another process with our transactional id took over: this one must stop (exit code 4)
 *  - the broker aborted our transaction because it took longer than its time-out (we were stopped, or it was)
 *  - a request of our own, InitProducerId of a producer that we threw away without having its answer, was handled late
 * Only the first is certain here when the two others can't be; whatever is not certain is doubt, and `open` settles it.
 */
import type { Clock } from '../core/clock.js'
import { isBrokerResponse, isFenced } from './kafka-errors.js'

/**
 * How long after a new producer stands a stray request of an earlier one may still turn up, in ms. By then the broker,
 * which has answered the new one, has long read what lay in its other connections.
 */
const STRAY = 30_000

export class Fencing {
  readonly #clock: Clock
  readonly #longest: number
  /** Of the transaction under way, by both clocks: the monotonic one may stand still while the machine sleeps. */
  #began = { monotonic: 0, wall: 0 }
  #stray = false
  #initialisedAt = 0

  /** @param transactionTimeout the broker's for our transactions, in ms */
  constructor(clock: Clock, transactionTimeout: number) {
    this.#clock = clock
    this.#longest = transactionTimeout / 2
  }

  /** Runs what sends InitProducerId, and notes when its outcome stays unknown. */
  async initialise<T>(operation: () => Promise<T>): Promise<T> {
    const strayBefore = this.#stray
    this.#stray = true
    try {
      const result = await operation()
      this.#stray = strayBefore
      this.#initialisedAt = this.#clock.monotonic()
      return result
    } catch (error) {
      if (isBrokerResponse(error)) this.#stray = strayBefore
      throw error
    }
  }

  /** To be called before anything of a transaction is sent: the broker's time begins later than ours. */
  transactionBegins(): void {
    this.#began = { monotonic: this.#clock.monotonic(), wall: this.#clock.now() }
    if (this.#stray && this.#clock.monotonic() - this.#initialisedAt > STRAY) this.#stray = false
  }

  /** Whether this error of a transaction can only mean that another process took over. */
  replaced(error: unknown): boolean {
    if (!isFenced(error) || this.#stray) return false
    const monotonic = this.#clock.monotonic() - this.#began.monotonic
    const wall = this.#clock.now() - this.#began.wall
    return monotonic < this.#longest && wall < this.#longest
  }
}
