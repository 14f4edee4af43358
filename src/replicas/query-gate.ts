/**
 * Decides when this replica may query a provider for a source, and when it may store an answer. Only the source's single owner may
 * do either, and only while it knows what all replicas have published.
 *
 * - A query waits until the topics were followed for a session timeout without a break. By then an earlier owner has noticed that
 *   it lost the source, and what replicas held back while Kafka was away has been published.
 * - An answer with new items is checked again a moment later, because a callback with the same items may be on its way through
 *   another replica at that moment.
 */
import { orAborted } from '../core/abort.js'
import type { Clock } from '../core/clock.js'

export interface QueryGateDeps {
  /** Whether the source belongs to this replica alone at this moment. */
  readonly ownsExclusively: () => boolean
  /** See `TopicFollower.followedFor`. */
  readonly followedFor: () => Promise<number | undefined>
  /** How long the topics must have been followed. */
  readonly minFollowedMs: number
  readonly clock: Clock
}

/** How long a callback may take to be published after its receipt is visible in an answer. */
const CALLBACK_SETTLING_MS = 3_000
/** The time for which the knowledge of what was published counts as current for a query. */
const SYNC_MAX_AGE_MS = 2_000
const POLL_INTERVAL_MS = 250

export class QueryGate {
  readonly #deps: QueryGateDeps
  #syncedAt = -Infinity

  constructor(deps: QueryGateDeps) {
    this.#deps = deps
  }

  /** Resolves with true once the source may be queried, and with false when the signal aborts. */
  async waitToQuery(signal: AbortSignal): Promise<boolean> {
    const { ownsExclusively, clock } = this.#deps
    while (!signal.aborted) {
      if (ownsExclusively() && (await this.#isSynced(signal, SYNC_MAX_AGE_MS)) && ownsExclusively()) return true
      await clock.sleep(POLL_INTERVAL_MS, signal)
    }
    return false
  }

  /**
   * Resolves some time after an answer: with true if the answer may be stored, and with false if another replica may own the
   * source by then.
   *
   * @param answeredAt monotonic milliseconds
   */
  async waitToStore(answeredAt: number, signal: AbortSignal): Promise<boolean> {
    const { ownsExclusively, clock } = this.#deps
    const settledAt = answeredAt + CALLBACK_SETTLING_MS
    await clock.sleep(Math.max(0, settledAt - clock.monotonic()), signal)
    const isSynced = this.#syncedAt >= settledAt || (await this.#isSynced(signal, 0))
    return isSynced && !signal.aborted && ownsExclusively()
  }

  async #isSynced(signal: AbortSignal, maxAgeMs: number): Promise<boolean> {
    const { followedFor, minFollowedMs, clock } = this.#deps
    const now = clock.monotonic()
    if (now - this.#syncedAt < maxAgeMs) return true
    const followedMs = await orAborted(followedFor(), signal)
    if (followedMs === undefined || followedMs === 'aborted' || followedMs < minFollowedMs) return false
    this.#syncedAt = now
    return true
  }
}
