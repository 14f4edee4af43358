/**
 * When a source may be queried here, and an answer of it kept: only by its one owner, and only with what all replicas
 * have published in sight.
 *
 * - Nothing is asked before the topics were followed for a session time-out without a break: by then an owner before us
 *   has noticed, and what replicas held back while Kafka was away is on its way out.
 * - An answer with news is looked at again a moment later. What is in it is likely in a callback too, that another
 *   replica is publishing at this moment.
 */
import type { Clock } from '../core/clock.js'
import { orAborted } from '../core/abort.js'

export interface QueryGateDeps {
  /** Whether the source is ours alone, at this moment. */
  readonly sole: () => boolean
  /** See `Follower.followedFor`. */
  readonly followedFor: () => Promise<number | undefined>
  /** For how long the topics must have been followed, in ms. */
  readonly calm: number
  readonly clock: Clock
}

/** Ms that a callback has to be published, once its receipt can be seen in an answer. */
const SETTLING = 3_000
/** Ms for which what is known is fresh enough to ask by. */
const FRESH = 2_000
/** Ms between two looks. */
const PAUSE = 250

export class QueryGate {
  readonly #deps: QueryGateDeps
  #knownAt = -Infinity

  constructor(deps: QueryGateDeps) {
    this.#deps = deps
  }

  /** Resolves with true once the source may be queried, with false when the signal aborts. */
  async waitToQuery(signal: AbortSignal): Promise<boolean> {
    const { sole, clock } = this.#deps
    while (!signal.aborted) {
      if (sole() && (await this.#knows(signal, FRESH)) && sole()) return true
      await clock.sleep(PAUSE, signal)
    }
    return false
  }

  /**
   * Resolves a moment after an answer: with false where it must not be kept, because another may be asking by now.
   * @param answeredAt monotonic ms
   */
  async waitToStore(answeredAt: number, signal: AbortSignal): Promise<boolean> {
    const { sole, clock } = this.#deps
    const from = answeredAt + SETTLING
    await clock.sleep(Math.max(0, from - clock.monotonic()), signal)
    const known = this.#knownAt >= from || (await this.#knows(signal, 0))
    return known && !signal.aborted && sole()
  }

  async #knows(signal: AbortSignal, age: number): Promise<boolean> {
    const { followedFor, calm, clock } = this.#deps
    const now = clock.monotonic()
    if (now - this.#knownAt < age) return true
    const followed = await orAborted(followedFor(), signal)
    if (followed === undefined || followed === 'aborted' || followed < calm) return false
    this.#knownAt = now
    return true
  }
}
