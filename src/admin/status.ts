/**
 * The state of the process as its parts report it, for `/readyz`, `/status.json` and the status page.
 *
 * Ready means that a callback would be taken into custody now. Kafka and the registry do not affect readiness: while they
 * are away, intake continues until the journal is full.
 */
import type { Clock } from '../core/clock.js'
import type { FollowingReport, MembershipReport, PullState, ReconcileState } from '../core/observers.js'
import type { Journal } from '../journal/journal.js'

/** Publishing, or the registry. `waiting`: a dependency is unavailable or refuses; the reason says which and why. */
export type ComponentState = 'starting' | 'ok' | 'waiting'

/** A source of the configuration, and the ways in which the connector receives from it. */
export interface SourceInfo {
  readonly source: string
  readonly provider: string
  readonly pull: boolean
  readonly callback: boolean
  readonly reconcile: boolean
}

export interface StatusDeps {
  readonly instance: string
  readonly version: string
  readonly sources: readonly SourceInfo[]
  readonly journal: Pick<Journal, 'id' | 'stats' | 'refusalReason'>
  readonly journalMaxBytes: number
  /** The consumer group that the replicas form; undefined where this process works alone. */
  readonly group?: string | undefined
  readonly clock: Clock
}

/** The same fields, with times as ISO 8601 in place of milliseconds since the epoch. */
type WithIsoTimes<T> = {
  readonly [K in keyof T]: K extends 'since' | 'nextAt' | 'lastPageAt' | 'lastAnswerAt' | 'lastWalkAt'
    ? Iso<T[K]>
    : T[K]
}
type Iso<T> = T extends number ? string : T extends object ? { readonly [K in keyof T]: Iso<T[K]> } : T

interface Component {
  readonly state: ComponentState
  readonly reason: string | null
  readonly since: number
}

export type ComponentSnapshot = WithIsoTimes<Component>

/** What `/status.json` answers. */
export interface StatusSnapshot {
  readonly instance: string
  readonly version: string
  readonly time: string
  readonly startedAt: string
  readonly uptimeSeconds: number
  readonly ready: boolean
  /** Why callbacks can't be taken into custody; null while they can. */
  readonly reason: string | null
  readonly publishing: ComponentSnapshot
  readonly registry: ComponentSnapshot
  readonly journal: {
    readonly id: string
    readonly entries: number
    readonly bytes: number
    readonly maxBytes: number
    readonly oldestAgeSeconds: number
    readonly refusal: string | null
  }
  /** null where this process works alone. */
  readonly sharing:
    (WithIsoTimes<MembershipReport> & { readonly group: string; readonly following: FollowingReport }) | null
  readonly sources: readonly SourceSnapshot[]
}

export interface SourceSnapshot {
  readonly source: string
  readonly provider: string
  /** Whether this replica pulls and reconciles the source. */
  readonly owned: boolean
  readonly callback: boolean
  readonly reconcile: boolean
  /** null for a source without `pull`. `not-here`: no poller of this process has reported yet. */
  readonly pull:
    | (Omit<WithIsoTimes<PullState>, 'state' | 'limit'> & {
        readonly state: PullState['state'] | 'not-here'
        readonly limit: number | null
      })
    | null
  /** null for a source without `reconcile`, and for one that another replica reconciles. */
  readonly reconciling: WithIsoTimes<ReconcileState> | null
}

export class Status {
  readonly #deps: StatusDeps
  readonly #startedAt: number
  readonly #startedMonotonic: number
  readonly #pulls = new Map<string, PullState>()
  readonly #reconciling = new Map<string, ReconcileState>()
  readonly #owned = new Set<string>()
  #phase: 'starting' | 'running' | 'stopping' = 'starting'
  #publishing: Component
  #registry: Component
  #membership: MembershipReport
  #following: FollowingReport = { state: 'idle', reason: null }

  constructor(deps: StatusDeps) {
    this.#deps = deps
    this.#startedAt = deps.clock.now()
    this.#startedMonotonic = deps.clock.monotonic()
    this.#publishing = { state: 'starting', reason: null, since: this.#startedAt }
    this.#registry = { state: 'starting', reason: null, since: this.#startedAt }
    this.#membership = { membership: 'waiting', since: this.#startedAt, reason: null, partitions: [] }
  }

  /** `running`: the callbacks server listens. `stopping`: SIGTERM or SIGINT was received. */
  setPhase(phase: 'running' | 'stopping'): void {
    this.#phase = phase
  }

  /** @param reason a sentence, for every state but `ok` */
  setPublishing(state: ComponentState, reason: string | null = null): void {
    this.#publishing = this.#changed(this.#publishing, state, reason)
  }

  /** @param reason a sentence, for every state but `ok` */
  setRegistry(state: ComponentState, reason: string | null = null): void {
    this.#registry = this.#changed(this.#registry, state, reason)
  }

  setPull(source: string, state: PullState): void {
    this.#pulls.set(source, state)
  }

  /** Another replica pulls the source from now on. */
  removePull(source: string): void {
    this.#pulls.delete(source)
  }

  setReconciling(source: string, state: ReconcileState): void {
    this.#reconciling.set(source, state)
  }

  setMembership(report: MembershipReport): void {
    this.#membership = report
  }

  setFollowing(report: FollowingReport): void {
    this.#following = report
  }

  setOwned(source: string, owned: boolean): void {
    if (owned) this.#owned.add(source)
    else this.#owned.delete(source)
  }

  /** Why callbacks can't be taken into custody now; null while they can. */
  unreadyReason(): string | null {
    if (this.#phase === 'starting') return 'starting: the callbacks server does not listen yet'
    if (this.#phase === 'stopping') return 'stopping: send callbacks to another instance'
    return this.#deps.journal.refusalReason()
  }

  snapshot(): StatusSnapshot {
    const { instance, version, journal, journalMaxBytes, clock, sources, group } = this.#deps
    const { entries, bytes, oldestReceivedAt } = journal.stats()
    const reason = this.unreadyReason()
    return {
      instance,
      version,
      time: iso(clock.now()),
      startedAt: iso(this.#startedAt),
      uptimeSeconds: Math.floor((clock.monotonic() - this.#startedMonotonic) / 1_000),
      ready: reason === null,
      reason,
      publishing: { ...this.#publishing, since: iso(this.#publishing.since) },
      registry: { ...this.#registry, since: iso(this.#registry.since) },
      journal: {
        id: journal.id,
        entries,
        bytes,
        maxBytes: journalMaxBytes,
        oldestAgeSeconds: oldestReceivedAt === null ? 0 : Math.max(0, (clock.now() - oldestReceivedAt) / 1_000),
        refusal: journal.refusalReason(),
      },
      sharing:
        group === undefined
          ? null
          : { group, ...this.#membership, since: iso(this.#membership.since), following: this.#following },
      sources: sources.map(({ source, provider, callback, reconcile, pull }) => ({
        source,
        provider,
        owned: group === undefined || this.#owned.has(source),
        callback,
        reconcile,
        pull: pull ? this.#pullOf(source) : null,
        reconciling: this.#reconcilingOf(source),
      })),
    }
  }

  #pullOf(source: string): SourceSnapshot['pull'] {
    const state = this.#pulls.get(source)
    if (state === undefined) {
      const since = iso(this.#startedAt)
      return { state: 'not-here', since, limit: null, nextAt: null, lastError: null, lastPageAt: null }
    }
    const { since, nextAt, lastPageAt } = state
    return { ...state, since: iso(since), nextAt: isoOrNull(nextAt), lastPageAt: isoOrNull(lastPageAt) }
  }

  #reconcilingOf(source: string): SourceSnapshot['reconciling'] {
    const state = this.#reconciling.get(source)
    if (state === undefined) return null
    const { outbound, inbound } = state.lastWalkAt
    return {
      ...state,
      since: iso(state.since),
      lastAnswerAt: isoOrNull(state.lastAnswerAt),
      lastWalkAt: { outbound: isoOrNull(outbound), inbound: isoOrNull(inbound) },
    }
  }

  #changed(component: Component, state: ComponentState, reason: string | null): Component {
    return { state, reason, since: component.state === state ? component.since : this.#deps.clock.now() }
  }
}

const iso = (time: number): string => new Date(time).toISOString()
const isoOrNull = (time: number | null): string | null => (time === null ? null : iso(time))
