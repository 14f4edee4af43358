/**
 * The state of the process as its parts report it, for `/readyz`, `/status.json` and the status page.
 *
 * Ready means that a callback would be taken into custody now. Kafka and the registry do not affect readiness: while they
 * are away, intake continues until the journal is full.
 */
import type { Clock } from '../core/clock.js'
import { messageOf } from '../core/errors.js'
import type {
  FollowingReport,
  LostAnswerReason,
  MembershipReport,
  PullState,
  ReconcileState,
} from '../core/observers.js'
import type { Journal } from '../journal/journal.js'

/** Publishing, or the registry. `waiting`: a dependency is unavailable or refuses; the reason says which and why. */
export const COMPONENT_STATES = ['starting', 'ok', 'waiting'] as const
export type ComponentState = (typeof COMPONENT_STATES)[number]

interface Component {
  readonly state: ComponentState
  readonly reason: string | null
  readonly since: number
}

/** The keys of a configured source that say what it is and in which ways the connector receives from it. */
export interface SourceInfo {
  readonly name: string
  readonly provider: string
  readonly pull?: object
  readonly callback?: object
  readonly reconcile?: object
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

/** An answer of a queue that did not arrive, or not as a whole. */
export interface LostAnswer {
  /** Milliseconds since the epoch. */
  readonly at: number
  readonly reason: LostAnswerReason
  /** What was met, as a clause. */
  readonly detail: string
}

/** What `/status.json` answers. */
export type StatusSnapshot = ReturnType<Status['snapshot']>
export type SourceSnapshot = StatusSnapshot['sources'][number]

export class Status {
  /** `running`: the callbacks server listens. `stopping`: SIGTERM or SIGINT was received. */
  phase: 'starting' | 'running' | 'stopping' = 'starting'
  /** By source; a source that another replica pulls has none. */
  readonly pulls = new Map<string, PullState>()
  /** By source; a source that another replica reconciles has none. */
  readonly reconciling = new Map<string, ReconcileState>()
  /** The sources that this replica pulls and reconciles. */
  readonly owned = new Set<string>()
  membership: MembershipReport
  following: FollowingReport = { state: 'idle', reason: null }

  readonly #deps: StatusDeps
  readonly #journalWarnings: string[] = []
  /** By source. A success, and a change of the replica that pulls, leave it as it is: what is lost stays lost. */
  readonly #lostAnswers = new Map<string, { readonly count: number; readonly last: LostAnswer }>()
  readonly #startedAt: number
  readonly #startedMonotonic: number
  #publishing: Component
  /** Kafka has asked for a pause until then, in monotonic milliseconds. */
  #throttledUntil = -Infinity
  #registry: Component

  constructor(deps: StatusDeps) {
    this.#deps = deps
    this.#startedAt = deps.clock.now()
    this.#startedMonotonic = deps.clock.monotonic()
    this.#publishing = { state: 'starting', reason: null, since: this.#startedAt }
    this.#registry = this.#publishing
    this.membership = { membership: 'waiting', since: this.#startedAt, reason: null, partitions: [] }
  }

  /** @param reason a sentence, for every state but `ok` */
  setPublishing(state: ComponentState, reason: string | null = null): void {
    this.#publishing = this.#changed(this.#publishing, state, reason)
  }

  /** @param ms the pause that Kafka has asked for because a quota is exceeded */
  setThrottled(ms: number): void {
    this.#throttledUntil = Math.max(this.#throttledUntil, this.#deps.clock.monotonic() + ms)
  }

  /** @param reason a sentence; with `ok` what the operator should know nevertheless, null if there is nothing */
  setRegistry(state: ComponentState, reason: string | null = null): void {
    this.#registry = this.#changed(this.#registry, state, reason)
  }

  /** @param warning a sentence on what the operator should know of the journal although it works */
  addJournalWarning(warning: string): void {
    this.#journalWarnings.push(warning)
  }

  recordLostAnswer(source: string, last: LostAnswer): void {
    this.#lostAnswers.set(source, { count: (this.#lostAnswers.get(source)?.count ?? 0) + 1, last })
  }

  /** Why callbacks can't be taken into custody now; null while they can. */
  unreadyReason(): string | null {
    if (this.phase === 'starting') return 'starting: the callbacks server does not listen yet'
    if (this.phase === 'stopping') return 'stopping: send callbacks to another instance'
    return this.#journalRefusal()
  }

  #throttleReason(): string | null {
    const leftMs = this.#throttledUntil - this.#deps.clock.monotonic()
    return leftMs > 0
      ? `Kafka throttles this client for another ${Math.ceil(leftMs / 1_000)} s, because a quota is exceeded`
      : null
  }

  /** Times are in ISO 8601. */
  snapshot() {
    const { instance, version, journal, journalMaxBytes, clock, sources, group } = this.#deps
    const { entries, bytes, oldestReceivedAt } = this.#journalStats()
    const reason = this.unreadyReason()
    return {
      instance,
      version,
      time: iso(clock.now()),
      startedAt: iso(this.#startedAt),
      uptimeSeconds: Math.floor((clock.monotonic() - this.#startedMonotonic) / 1_000),
      ready: reason === null,
      reason,
      publishing: {
        ...this.#publishing,
        reason: this.#publishing.reason ?? this.#throttleReason(),
        since: iso(this.#publishing.since),
      },
      registry: { ...this.#registry, since: iso(this.#registry.since) },
      /** The numbers are null while the journal can't be read. */
      journal: {
        id: journal.id,
        entries,
        bytes,
        maxBytes: journalMaxBytes,
        oldestAgeSeconds: oldestReceivedAt === null ? 0 : Math.max(0, (clock.now() - oldestReceivedAt) / 1_000),
        refusal: this.#journalRefusal(),
        /** Null if there is nothing to warn of. */
        warning: this.#journalWarnings.join('. ') || null,
      },
      /** null where this process works alone. */
      sharing:
        group === undefined
          ? null
          : { group, ...this.membership, since: iso(this.membership.since), following: this.following },
      sources: sources.map(({ name, provider, callback, reconcile, pull }) => ({
        source: name,
        provider,
        /** Whether this replica pulls and reconciles the source. */
        owned: group === undefined || this.owned.has(name),
        callback: callback !== undefined,
        reconcile: reconcile !== undefined,
        /** null for a source without `pull`. */
        pull: pull === undefined ? null : this.#pullOf(name),
        /** Since the start of this process; null for a source without `pull`. */
        lostAnswers: pull === undefined ? null : this.#lostAnswersOf(name),
        /** null for a source without `reconcile`, and for one that another replica reconciles. */
        reconciling: this.#reconcilingOf(name),
      })),
    }
  }

  /** The journal's reason, or that it can't be read: the status is wanted most when something is broken. */
  #journalRefusal(): string | null {
    try {
      return this.#deps.journal.refusalReason()
    } catch (error) {
      return `the journal can't be read: ${messageOf(error)}; check its disk, then restart`
    }
  }

  #journalStats(): Record<'entries' | 'bytes' | 'oldestReceivedAt', number | null> {
    try {
      return this.#deps.journal.stats()
    } catch {
      return { entries: null, bytes: null, oldestReceivedAt: null }
    }
  }

  #pullOf(source: string) {
    const report = this.pulls.get(source)
    if (report === undefined) {
      // No poller of this process has reported yet. The name of the state is kept for readers of /status.json.
      const since = iso(this.#startedAt)
      const nothing = { limit: null, inFlightItems: 0, nextAt: null, lastError: null, lastPageAt: null }
      return { state: 'not-here' as const, since, ...nothing }
    }
    const { since, nextAt, lastPageAt } = report
    return { ...report, since: iso(since), nextAt: iso(nextAt), lastPageAt: iso(lastPageAt) }
  }

  #lostAnswersOf(source: string) {
    const lost = this.#lostAnswers.get(source)
    if (lost === undefined) return { count: 0, lastAt: null, lastReason: null, lastDetail: null }
    const { at, reason, detail } = lost.last
    return { count: lost.count, lastAt: iso(at), lastReason: reason, lastDetail: detail }
  }

  #reconcilingOf(source: string) {
    const report = this.reconciling.get(source)
    if (report === undefined) return null
    const { outbound, inbound } = report.lastWalkAt
    return {
      ...report,
      since: iso(report.since),
      lastAnswerAt: iso(report.lastAnswerAt),
      lastWalkAt: { outbound: iso(outbound), inbound: iso(inbound) },
    }
  }

  #changed(component: Component, state: ComponentState, reason: string | null): Component {
    return { state, reason, since: component.state === state ? component.since : this.#deps.clock.now() }
  }
}

/** Formats a time in ISO 8601; a time that is not known stays null. */
const iso = <T extends number | null>(time: T) =>
  (time === null ? null : new Date(time).toISOString()) as T extends number ? string : null
