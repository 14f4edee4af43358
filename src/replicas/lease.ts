/**
 * Tells until when the group certainly counts this replica as a member: for one session timeout from the moment at which the last
 * answered heartbeat was sent. It uses both clocks, because the monotonic clock may stop while the machine sleeps.
 *
 * A process that was stopped for longer finds its lease expired before it does anything else, whatever responses are waiting in
 * its sockets.
 */
import type { Clock } from '../core/clock.js'

export class Lease {
  readonly #clock: Clock
  readonly #durationMs: number
  #renewedAt: { readonly monotonic: number; readonly wall: number } | undefined

  /** @param durationMs the session timeout */
  constructor(durationMs: number, clock: Clock) {
    this.#clock = clock
    this.#durationMs = durationMs
  }

  /** @param sentAt when the answered heartbeat was sent, in milliseconds since the epoch */
  renew(sentAt: number): void {
    const wall = this.#clock.now()
    const age = Math.max(0, wall - sentAt)
    const monotonic = this.#clock.monotonic() - age
    if (this.#renewedAt === undefined || monotonic > this.#renewedAt.monotonic) {
      this.#renewedAt = { monotonic, wall: wall - age }
    }
  }

  expire(): void {
    this.#renewedAt = undefined
  }

  get isValid(): boolean {
    if (this.#renewedAt === undefined) return false
    const monotonic = this.#clock.monotonic() - this.#renewedAt.monotonic
    const wall = this.#clock.now() - this.#renewedAt.wall
    return monotonic < this.#durationMs && wall < this.#durationMs
  }
}
