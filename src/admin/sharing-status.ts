/** How this replica stands among those that it shares the work with. */
import type { Clock } from '../core/clock.js'

/** Times are milliseconds since the epoch. */
export interface SharingReport {
  /** `assigned` by the group; `keeps` what it last assigned; `alone` with all sources; `waiting` for its first word. */
  readonly membership: 'waiting' | 'assigned' | 'disconnected' | 'standalone'
  readonly since: number
  /** Why there is no word from the group. */
  readonly reason: string | null
  /** Of the sharing topic. */
  readonly partitions: readonly number[]
}

/** Whether what all replicas publish is known here: asked for before anything is reconciled. */
export interface FollowingReport {
  readonly state: 'idle' | 'reading' | 'following' | 'waiting'
  readonly reason: string | null
}

/** Times are ISO 8601. */
export interface SharingSnapshot extends Omit<SharingReport, 'since'> {
  readonly group: string
  readonly since: string
  readonly following: FollowingReport
}

export class SharingStatus {
  readonly #group: string | undefined
  readonly #owned = new Set<string>()
  #membership: SharingReport
  #following: FollowingReport = { state: 'idle', reason: null }

  /** @param group undefined where nothing is shared: then every source is ours */
  constructor(group: string | undefined, clock: Clock) {
    this.#group = group
    this.#membership = { membership: 'waiting', since: clock.now(), reason: null, partitions: [] }
  }

  membership(report: SharingReport): void {
    this.#membership = report
  }

  following(report: FollowingReport): void {
    this.#following = report
  }

  owned(source: string, owned: boolean): void {
    if (owned) this.#owned.add(source)
    else this.#owned.delete(source)
  }

  owns(source: string): boolean {
    return this.#group === undefined || this.#owned.has(source)
  }

  /** null where nothing is shared. */
  snapshot(): SharingSnapshot | null {
    if (this.#group === undefined) return null
    const since = new Date(this.#membership.since).toISOString()
    return { group: this.#group, ...this.#membership, since, following: this.#following }
  }
}
