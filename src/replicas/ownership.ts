/**
 * Which sources are this replica's, and why.
 *
 *   waiting ──the group speaks──▶ assigned ──no answer for a session time-out──▶ keeps ──it speaks──▶ assigned
 *      └──Kafka can't be had, or is silent for a session time-out──▶ alone ──────────it speaks──────▶ assigned
 *
 * Alone it has all of them: a queue that forgets what it hands out is safe with two pollers and unsafe with none. What
 * must be done in one place only (`sole`) is done by nobody then.
 */
import type { Membership } from '../core/observers.js'
import type { Clock } from '../core/clock.js'
import { Lease } from './lease.js'
import { type Assignment, sourcesOf } from './assignment.js'

/** Ms that a group which first waits for a silent member takes beyond the session time-out. */
const JOINING = 5_000

export interface OwnershipDeps {
  readonly sources: readonly string[]
  /** Ms. */
  readonly sessionTimeout: number
  readonly clock: Clock
  /** Told when anything has changed. */
  readonly changed: () => void
}

export class Ownership {
  readonly #deps: OwnershipDeps
  readonly #lease: Lease
  readonly #ended = new AbortController()
  #membership: Membership = 'waiting'
  #owned: ReadonlySet<string> = new Set()
  #assignment: Assignment | undefined
  #reason: string | null = null
  #since: number

  constructor(deps: OwnershipDeps) {
    this.#deps = deps
    this.#lease = new Lease(deps.sessionTimeout, deps.clock)
    this.#since = deps.clock.now()
  }

  get membership(): Membership {
    return this.#membership
  }

  /** What stands between us and the group, in a sentence. */
  get reason(): string | null {
    return this.#reason
  }

  /** Of the membership; ms since the epoch. */
  get since(): number {
    return this.#since
  }

  get assignment(): Assignment | undefined {
    return this.#assignment
  }

  /** Whether to poll it. */
  has(source: string): boolean {
    return this.#owned.has(source)
  }

  /** Whether it is this replica's by the word of the group, which counts us as its member at this moment. */
  sole(source: string): boolean {
    return this.#membership === 'assigned' && this.#owned.has(source) && this.#lease.valid
  }

  start(): void {
    void this.#watch()
  }

  end(): void {
    this.#ended.abort()
    this.#lease.end()
  }

  assigned(assignment: Assignment): void {
    this.#assignment = assignment
    this.#owned = sourcesOf(this.#deps.sources, assignment)
    this.#become('assigned', null)
  }

  heard(sentAt: number): void {
    this.#lease.renew(sentAt)
    if (this.#membership === 'disconnected') this.#become('assigned', null)
  }

  /** @param reason why the group can't be had, in a sentence */
  lost(reason: string): void {
    this.#lease.end()
    if (this.#assignment === undefined) this.#alone(reason)
    else this.#become('disconnected', reason)
  }

  #alone(reason: string): void {
    this.#owned = new Set(this.#deps.sources)
    this.#become('standalone', reason)
  }

  #become(membership: Membership, reason: string | null): void {
    if (membership !== this.#membership) this.#since = this.#deps.clock.now()
    this.#membership = membership
    this.#reason = reason
    this.#deps.changed()
  }

  async #watch(): Promise<void> {
    const { clock, sessionTimeout } = this.#deps
    const { signal } = this.#ended
    const silent = `the group has not answered for ${sessionTimeout / 1_000} s`
    await clock.sleep(sessionTimeout + JOINING, signal)
    while (!signal.aborted) {
      if (this.#membership === 'waiting') this.#alone(silent)
      else if (this.#membership === 'assigned' && !this.#lease.valid) this.#become('disconnected', silent)
      await clock.sleep(Math.min(1_000, sessionTimeout), signal)
    }
  }
}
