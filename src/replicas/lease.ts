/**
 * Until when the group surely counts us as a member: one session time-out from the moment at which the last heartbeat
 * that was answered was sent. By both clocks: the monotonic one may stand still while the machine sleeps.
 *
 * A process that was stopped for longer finds its lease expired before it does anything else, whatever answers lie in
 * its sockets.
 */
import type { Clock } from '../core/clock.js'

export class Lease {
  readonly #clock: Clock
  readonly #length: number
  #from: { readonly monotonic: number; readonly wall: number } | undefined

  /** @param length the session time-out, in ms */
  constructor(length: number, clock: Clock) {
    this.#length = length
    this.#clock = clock
  }

  /** @param sentAt when what was answered had been sent, in ms since the epoch */
  renew(sentAt: number): void {
    const wall = this.#clock.now()
    const ago = Math.max(0, wall - sentAt)
    const monotonic = this.#clock.monotonic() - ago
    if (this.#from === undefined || monotonic > this.#from.monotonic) this.#from = { monotonic, wall: wall - ago }
  }

  end(): void {
    this.#from = undefined
  }

  get valid(): boolean {
    if (this.#from === undefined) return false
    const monotonic = this.#clock.monotonic() - this.#from.monotonic
    const wall = this.#clock.now() - this.#from.wall
    return monotonic < this.#length && wall < this.#length
  }
}
