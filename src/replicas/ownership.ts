/**
 * Decides which sources belong to this replica.
 *
 *   waiting ── the group assigns ──▶ assigned ── no answer within the session timeout ──▶ disconnected ── answer ──▶ assigned
 *      └── Kafka is unreachable, or silent for the session timeout ──▶ standalone ── the group assigns ──▶ assigned
 *
 * A standalone replica polls all sources, because a queue that forgets what it hands out is safe with two pollers and unsafe
 * with none. Work that only one replica may do (`ownsExclusively`) is done by none in that state.
 */
import { hash } from 'node:crypto'
import type { Clock } from '../core/clock.js'
import type { Membership, MembershipReport } from '../core/observers.js'

/**
 * Returns the partition that represents a source. It depends on the name alone, so that all replicas agree even if they are
 * configured with different sources, as during a rolling update.
 */
export const partitionOf = (source: string, partitions: number): number =>
  Buffer.from(hash('sha256', source, 'hex').slice(0, 8), 'hex').readUInt32BE() % partitions

export interface Assignment {
  /** The partitions that the group has assigned to this replica. */
  readonly assigned: readonly number[]
  /** The number of partitions of the sharing topic. */
  readonly partitions: number
}

/** Returns those of the sources whose partitions are assigned. */
export const sourcesOf = (sources: Iterable<string>, { assigned, partitions }: Assignment): ReadonlySet<string> =>
  new Set([...sources].filter((source) => assigned.includes(partitionOf(source, partitions))))

/** How much longer than the session timeout a rebalance takes that waits for a silent member. */
const REBALANCE_SLACK_MS = 5_000
/** The longest interval between two checks of the lease. */
const CHECK_INTERVAL_MS = 1_000

export interface OwnershipDeps {
  /** The sources that are polled or reconciled. After a change of it, call `sourcesChanged`. */
  readonly sources: ReadonlySet<string>
  /** Milliseconds. */
  readonly sessionTimeout: number
  readonly clock: Clock
  /** Called after each change. */
  readonly onChange: () => void
}

export class Ownership {
  readonly #deps: OwnershipDeps
  readonly #lease: Lease
  readonly #stopping = new AbortController()
  #report: MembershipReport
  #owned: ReadonlySet<string> = new Set()
  #assignment: Assignment | undefined

  constructor(deps: OwnershipDeps) {
    this.#deps = deps
    this.#lease = new Lease(deps.sessionTimeout, deps.clock)
    this.#report = { membership: 'waiting', since: deps.clock.now(), reason: null, partitions: [] }
  }

  get report(): MembershipReport {
    return this.#report
  }

  /** The group's assignment; undefined while the group does not answer. */
  get assignment(): Assignment | undefined {
    return this.#isAssigned ? this.#assignment : undefined
  }

  /** Whether this replica polls the source. */
  owns(source: string): boolean {
    return this.#owned.has(source)
  }

  /** Whether the group has assigned the source to this replica, and certainly counts it as a member at this moment. */
  ownsExclusively(source: string): boolean {
    return this.#isAssigned && this.#owned.has(source) && this.#lease.isValid
  }

  start(): void {
    void this.#watchLease()
  }

  stop(): void {
    this.#stopping.abort()
    this.#lease.expire()
  }

  assigned(assignment: Assignment): void {
    this.#assignment = assignment
    this.#owned = sourcesOf(this.#deps.sources, assignment)
    this.#setMembership('assigned', null)
  }

  /** Call it when sources were added or removed. */
  sourcesChanged(): void {
    const { sources, onChange } = this.#deps
    if (this.#assignment !== undefined) this.#owned = sourcesOf(sources, this.#assignment)
    else if (this.#report.membership === 'standalone') this.#owned = new Set(sources)
    onChange()
  }

  /** @param sentAt when the heartbeat was sent that the group has answered, in milliseconds since the epoch */
  heartbeatAnswered(sentAt: number): void {
    this.#lease.renew(sentAt)
    if (this.#report.membership === 'disconnected') this.#setMembership('assigned', null)
  }

  /** @param reason a sentence on why the group cannot be reached */
  disconnected(reason: string): void {
    this.#lease.expire()
    if (this.#assignment === undefined) this.#ownAll(reason)
    else this.#setMembership('disconnected', reason)
  }

  get #isAssigned(): boolean {
    return this.#report.membership === 'assigned'
  }

  #ownAll(reason: string): void {
    this.#owned = new Set(this.#deps.sources)
    this.#setMembership('standalone', reason)
  }

  #setMembership(membership: Membership, reason: string | null): void {
    const since = membership === this.#report.membership ? this.#report.since : this.#deps.clock.now()
    this.#report = { membership, since, reason, partitions: this.#assignment?.assigned ?? [] }
    this.#deps.onChange()
  }

  async #watchLease(): Promise<void> {
    const { clock, sessionTimeout } = this.#deps
    const { signal } = this.#stopping
    const reason = `the group has not answered for ${sessionTimeout / 1_000} s`
    await clock.sleep(sessionTimeout + REBALANCE_SLACK_MS, signal)
    while (!signal.aborted) {
      if (this.#report.membership === 'waiting') this.#ownAll(reason)
      else if (this.#isAssigned && !this.#lease.isValid) this.#setMembership('disconnected', reason)
      await clock.sleep(Math.min(CHECK_INTERVAL_MS, sessionTimeout), signal)
    }
  }
}

/**
 * Tells until when the group certainly counts this replica as a member: for one session timeout from the moment at which the last
 * answered heartbeat was sent. It uses both clocks, because the monotonic clock may stop while the machine sleeps.
 *
 * A process that was stopped for longer finds its lease expired before it does anything else, whatever responses are waiting in
 * its sockets.
 */
class Lease {
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
