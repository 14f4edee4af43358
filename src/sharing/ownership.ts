/**
 * Which sources are this replica's, and why.
 *
 *   waiting ──the group speaks──▶ assigned ──no answer for a session time-out──▶ keeps ──it speaks──▶ assigned
 *      └──Kafka can't be had, or is silent for a session time-out──▶ alone ──────────it speaks──────▶ assigned
 *
 * Alone it has all of them: a queue that forgets what it hands out is safe with two pollers and unsafe with none. What
 * must be done in one place only (`sole`) is done by nobody then.
 */
import type { Clock } from '../clock.js'
import { Lease } from './lease.js'
import { type Assignment, sourcesOf } from './partition-of.js'

export type Standing = 'waiting' | 'assigned' | 'keeps' | 'alone'

/** Ms that a group which first waits for a silent member takes beyond the session time-out. */
const JOINING = 5_000

export interface OwnershipParts {
  readonly sources: readonly string[]
  /** Ms. */
  readonly sessionTimeout: number
  readonly clock: Clock
  /** Told when anything has changed. */
  readonly changed: () => void
}

export class Ownership {
  readonly #parts: OwnershipParts
  readonly #lease: Lease
  readonly #ended = new AbortController()
  #standing: Standing = 'waiting'
  #owned: ReadonlySet<string> = new Set()
  #assignment: Assignment | undefined
  #reason: string | null = null
  #since: number

  constructor(parts: OwnershipParts) {
    this.#parts = parts
    this.#lease = new Lease(parts.sessionTimeout, parts.clock)
    this.#since = parts.clock.now()
  }

  get standing(): Standing {
    return this.#standing
  }

  /** What stands between us and the group, in a sentence. */
  get reason(): string | null {
    return this.#reason
  }

  /** Of the standing; ms since the epoch. */
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
    return this.#standing === 'assigned' && this.#owned.has(source) && this.#lease.valid
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
    this.#owned = sourcesOf(this.#parts.sources, assignment)
    this.#become('assigned', null)
  }

  heard(sentAt: number): void {
    this.#lease.renew(sentAt)
    if (this.#standing === 'keeps') this.#become('assigned', null)
  }

  /** @param reason why the group can't be had, in a sentence */
  lost(reason: string): void {
    this.#lease.end()
    if (this.#assignment === undefined) this.#alone(reason)
    else this.#become('keeps', reason)
  }

  #alone(reason: string): void {
    this.#owned = new Set(this.#parts.sources)
    this.#become('alone', reason)
  }

  #become(standing: Standing, reason: string | null): void {
    if (standing !== this.#standing) this.#since = this.#parts.clock.now()
    this.#standing = standing
    this.#reason = reason
    this.#parts.changed()
  }

  async #watch(): Promise<void> {
    const { clock, sessionTimeout } = this.#parts
    const { signal } = this.#ended
    const silent = `the group has not answered for ${sessionTimeout / 1_000} s`
    await clock.sleep(sessionTimeout + JOINING, signal)
    while (!signal.aborted) {
      if (this.#standing === 'waiting') this.#alone(silent)
      else if (this.#standing === 'assigned' && !this.#lease.valid) this.#become('keeps', silent)
      await clock.sleep(Math.min(1_000, sessionTimeout), signal)
    }
  }
}
