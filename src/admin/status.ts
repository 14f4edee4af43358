/**
 * How the process is doing, as its live parts report it: what `/readyz`, `/status.json` and the status page show.
 *
 * Ready means that a callback would be taken into custody now. Kafka and the registry have no say in it: without them
 * intake goes on until the journal is full.
 */
import type { Clock } from '../core/clock.js'
import type { Journal } from '../journal/journal.js'
import { type SharingSnapshot, SharingStatus } from './sharing-status.js'

/** `waiting`: a dependency is away or refuses; `stopped`: over for good. */
export type PartState = 'starting' | 'ok' | 'waiting' | 'stopped'

/** What a poller reports; times are milliseconds since the epoch. */
export interface PullReport {
  readonly state: string
  readonly since: number
  readonly limit: number
  readonly nextAt: number | null
  readonly lastError: string | null
  readonly lastPageAt: number | null
}

/** What a reconciler reports; times are milliseconds since the epoch. */
export interface ReconcileReport {
  readonly state: string
  readonly since: number
  readonly watched: number
  readonly lastAnswerAt: number | null
  readonly lastWalkAt: Readonly<Record<'outbound' | 'inbound', number | null>>
  readonly lastError: string | null
}

export interface SourceFacts {
  readonly source: string
  readonly provider: string
  readonly pull: boolean
  readonly callback: boolean
  readonly reconcile: boolean
}

export interface StatusDeps {
  readonly instance: string
  readonly version: string
  readonly sources: readonly SourceFacts[]
  readonly journal: Pick<Journal, 'stats' | 'refusalReason'> & { readonly id: string }
  readonly journalMaxBytes: number
  /** The group that replicas share the work through; left out where nothing is shared. */
  readonly group?: string | undefined
  readonly clock: Clock
}

/** Times are ISO 8601. */
export interface PartSnapshot {
  readonly state: PartState
  readonly reason: string | null
  readonly since: string
}

export interface StatusSnapshot {
  readonly instance: string
  readonly version: string
  readonly time: string
  readonly startedAt: string
  readonly uptimeSeconds: number
  readonly ready: boolean
  /** Why not, when not. */
  readonly reason: string | null
  readonly publishing: PartSnapshot
  readonly registry: PartSnapshot
  readonly journal: {
    readonly id: string
    readonly entries: number
    readonly bytes: number
    readonly maxBytes: number
    readonly oldestAgeSeconds: number
    readonly refusal: string | null
  }
  /** null where nothing is shared. */
  readonly sharing: SharingSnapshot | null
  readonly sources: readonly (SourceSnapshot & { readonly source: string; readonly provider: string })[]
}

export interface SourceSnapshot {
  /** Whether it is polled and reconciled here. */
  readonly owned: boolean
  readonly callback: boolean
  readonly reconcile: boolean
  /** null for a source that is not pulled. */
  readonly pull: {
    readonly state: string
    readonly since: string
    readonly limit: number | null
    readonly nextAt: string | null
    readonly lastError: string | null
    readonly lastPageAt: string | null
  } | null
  /** null for a source that is not reconciled, or not here. */
  readonly reconciling: {
    readonly state: string
    readonly since: string
    /** Messages that are asked for, as of the last round. */
    readonly watched: number
    readonly lastAnswerAt: string | null
    /** When a complete walk of each of the provider's logs last ended. */
    readonly lastWalkAt: Readonly<Record<'outbound' | 'inbound', string | null>>
    readonly lastError: string | null
  } | null
}

interface Part {
  state: PartState
  reason: string | null
  since: number
}

export class Status {
  readonly sharing: SharingStatus
  readonly #deps: StatusDeps
  readonly #startedAt: number
  readonly #startedMonotonic: number
  readonly #publishing: Part
  readonly #registry: Part
  readonly #pulls = new Map<string, PullReport>()
  readonly #reconciling = new Map<string, ReconcileReport>()
  #phase: 'starting' | 'running' | 'stopping' = 'starting'

  constructor(deps: StatusDeps) {
    this.#deps = deps
    this.#startedAt = deps.clock.now()
    this.#startedMonotonic = deps.clock.monotonic()
    this.#publishing = { state: 'starting', reason: null, since: this.#startedAt }
    this.#registry = { state: 'starting', reason: null, since: this.#startedAt }
    this.sharing = new SharingStatus(deps.group, deps.clock)
  }

  /** `running` once callbacks are listened for; `stopping` from SIGTERM on. */
  phase(phase: 'running' | 'stopping'): void {
    this.#phase = phase
  }

  /** @param reason of any state but `ok`, in a sentence */
  publishing(state: PartState, reason: string | null = null): void {
    this.#change(this.#publishing, state, reason)
  }

  registry(state: PartState, reason: string | null = null): void {
    this.#change(this.#registry, state, reason)
  }

  pull(source: string, report: PullReport): void {
    this.#pulls.set(source, report)
  }

  reconciling(source: string, report: ReconcileReport): void {
    this.#reconciling.set(source, report)
  }

  /** It is polled elsewhere. */
  left(source: string): void {
    this.#pulls.delete(source)
  }

  /** Why callbacks can't be taken into custody now; null while they can. */
  unready(): string | null {
    if (this.#phase === 'starting') return 'starting: callbacks are not listened for yet'
    if (this.#phase === 'stopping') return 'stopping: callbacks go elsewhere from now on'
    return this.#deps.journal.refusalReason()
  }

  snapshot(): StatusSnapshot {
    const { instance, version, journal, journalMaxBytes, clock, sources } = this.#deps
    const { entries, bytes, oldestReceivedAt } = journal.stats()
    const reason = this.unready()
    return {
      instance,
      version,
      time: iso(clock.now()),
      startedAt: iso(this.#startedAt),
      uptimeSeconds: Math.floor((clock.monotonic() - this.#startedMonotonic) / 1_000),
      ready: reason === null,
      reason,
      publishing: shown(this.#publishing),
      registry: shown(this.#registry),
      journal: {
        id: journal.id,
        entries,
        bytes,
        maxBytes: journalMaxBytes,
        oldestAgeSeconds: oldestReceivedAt === null ? 0 : Math.max(0, (clock.now() - oldestReceivedAt) / 1_000),
        refusal: journal.refusalReason(),
      },
      sharing: this.sharing.snapshot(),
      sources: sources.map((facts) => ({
        source: facts.source,
        provider: facts.provider,
        owned: this.sharing.owns(facts.source),
        callback: facts.callback,
        reconcile: facts.reconcile,
        pull: facts.pull ? this.#pullOf(facts.source) : null,
        reconciling: this.#reconcilingOf(facts.source),
      })),
    }
  }

  #pullOf(source: string): SourceSnapshot['pull'] {
    const report = this.#pulls.get(source)
    // With `sharing`, another replica pulls what this one does not.
    if (report === undefined) {
      return {
        state: 'not-here',
        since: iso(this.#startedAt),
        limit: null,
        nextAt: null,
        lastError: null,
        lastPageAt: null,
      }
    }
    const { state, since, limit, nextAt, lastError, lastPageAt } = report
    return { state, since: iso(since), limit, nextAt: isoOrNull(nextAt), lastError, lastPageAt: isoOrNull(lastPageAt) }
  }

  #reconcilingOf(source: string): SourceSnapshot['reconciling'] {
    const report = this.#reconciling.get(source)
    if (report === undefined) return null
    const { state, since, watched, lastAnswerAt, lastWalkAt, lastError } = report
    const { outbound, inbound } = lastWalkAt
    return {
      state,
      since: iso(since),
      watched,
      lastAnswerAt: isoOrNull(lastAnswerAt),
      lastWalkAt: { outbound: isoOrNull(outbound), inbound: isoOrNull(inbound) },
      lastError,
    }
  }

  #change(part: Part, state: PartState, reason: string | null): void {
    if (part.state !== state) part.since = this.#deps.clock.now()
    part.state = state
    part.reason = reason
  }
}

const shown = ({ state, reason, since }: Part): PartSnapshot => ({ state, reason, since: iso(since) })
const iso = (time: number): string => new Date(time).toISOString()
const isoOrNull = (time: number | null): string | null => (time === null ? null : iso(time))
