/**
 * The state of the process as its parts report it, for `/readyz`, `/status.json` and the status page.
 *
 * Ready means that a callback would be taken into custody now. Kafka and the registry do not affect readiness: while they
 * are away, intake continues until the journal is full.
 */
import type { Clock } from '../core/clock.js'
import { type codeOf, messageOf } from '../core/errors.js'
import type { LogEvent } from '../core/log-events.js'
import type {
  CallbackRefusalReason,
  DeadLetterSummary,
  FollowingReport,
  MembershipReport,
  PullState,
  ReconcileState,
  ReplayOutcome,
} from '../core/observers.js'
import type { CustodyRoom, Journal } from '../journal/journal.js'
import { personalDataMask } from '../masking/personal-data.js'
import { excerpt } from '../masking/known-secrets.js'
import { MinuteSeries } from './minute-series.js'
import { type LostAnswer, SourceRecord } from './source-record.js'

/** Publishing, or the registry. `waiting`: a dependency is unavailable or refuses; the reason says which and why. */
export const COMPONENT_STATES = ['starting', 'ok', 'waiting'] as const
export type ComponentState = (typeof COMPONENT_STATES)[number]

/** The code of an error that holds publishing up. */
export type PublishingCode = ReturnType<typeof codeOf>

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
  readonly callback?: { readonly answer?: { readonly status: number } }
  readonly reconcile?: object
}

export interface StatusDeps {
  readonly instance: string
  readonly version: string
  /** The sources at the start. */
  readonly sources: readonly SourceInfo[]
  readonly journal: Pick<Journal, 'id' | 'stats' | 'refusalReason' | 'custodyRoom'>
  readonly journalMaxBytes: number
  /** The consumer group that the replicas form; undefined where this process works alone. */
  readonly group?: string | undefined
  /** Returns why callbacks are refused although the journal takes them; null while they are not. */
  readonly callbackRefusal?: () => string | null
  readonly clock: Clock
}

/** How often the journal is looked at while nobody asks for the status. */
const JOURNAL_SAMPLE_INTERVAL_MS = 10_000
/** The minutes whose growth says when the journal will be full. */
const GROWTH_MINUTES = 10
/** The share of the journal's limit below which the room that is left is little. */
const LITTLE_ROOM_SHARE = 0.3
/** A text of a provider may be as long as its answer. */
const MAX_TEXT_LENGTH = 2_000

export interface JournalWarning {
  readonly event: LogEvent<'warn'>
  readonly warning: string
}

interface ConfigurationReport {
  /** When the configuration in use was loaded. */
  readonly loadedAt: number
  /** Why the configuration on disk is not in use; null while it is. */
  readonly failure: {
    readonly since: number
    readonly reason: string
    /** The keys that were changed and need a restart. */
    readonly restartKeys: readonly string[]
  } | null
}

/** The facts that `/status.json` answers. */
export type StatusSnapshot = ReturnType<Status['snapshot']>
/** A number for each minute of the last hour. */
export type StatusHistory = ReturnType<Status['history']>
export type SourceSnapshot = StatusSnapshot['sources'][number]

export class Status {
  /** `running`: the callbacks server listens. `stopping`: SIGTERM or SIGINT was received. */
  phase: 'starting' | 'running' | 'stopping' = 'starting'
  /** The sources that this replica pulls and reconciles. */
  readonly owned = new Set<string>()
  membership: MembershipReport
  following: FollowingReport = { state: 'idle', reason: null }

  readonly #deps: StatusDeps
  readonly #journalWarnings: JournalWarning[] = []
  /** The configured sources, those whose entries an earlier configuration has left, and '' for callbacks without a source. */
  readonly #records = new Map<string, SourceRecord>()
  readonly #journalBytes: MinuteSeries
  readonly #publishedEvents: MinuteSeries
  /** Since when the journal refuses callbacks; null while it takes them. */
  #refusedSince: number | null = null
  /** Since when little room is left for callbacks; null while there is more. */
  #fillingSince: number | null = null
  readonly #startedAt: number
  readonly #startedMonotonic: number
  #publishing: Component
  #publishingCode: PublishingCode | null = null
  /** Kafka has asked for a pause until then, in monotonic milliseconds. */
  #throttledUntil = -Infinity
  #registry: Component
  #sources: readonly SourceInfo[]
  #configuration: ConfigurationReport

  constructor(deps: StatusDeps) {
    this.#deps = deps
    this.#startedAt = deps.clock.now()
    this.#startedMonotonic = deps.clock.monotonic()
    this.#publishing = { state: 'starting', reason: null, since: this.#startedAt }
    this.#registry = this.#publishing
    this.#journalBytes = new MinuteSeries(deps.clock)
    this.#publishedEvents = new MinuteSeries(deps.clock)
    this.#sources = deps.sources
    this.#configuration = { loadedAt: this.#startedAt, failure: null }
    this.membership = { membership: 'waiting', since: this.#startedAt, reason: null, partitions: [] }
  }

  /** Takes over the sources of a configuration that was loaded since the start. */
  configurationLoaded(sources: readonly SourceInfo[]): void {
    for (const { name, pull } of this.#sources) {
      const isPulled = sources.some((each) => each.name === name && each.pull !== undefined)
      if (pull !== undefined && !isPulled) this.#recordOf(name).pullChanged(undefined)
    }
    for (const name of this.owned) if (!sources.some((each) => each.name === name)) this.owned.delete(name)
    this.#sources = sources
    this.#configuration = { loadedAt: this.#deps.clock.now(), failure: null }
  }

  /**
   * Records that the configuration on disk was not taken over.
   * @param reason a sentence
   * @param restartKeys the keys that were changed and need a restart; empty if the configuration has another problem
   */
  configurationRefused(reason: string, restartKeys: readonly string[]): void {
    const { failure } = this.#configuration
    const since = failure?.since ?? this.#deps.clock.now()
    this.#configuration = { ...this.#configuration, failure: { since, reason, restartKeys } }
  }

  /**
   * @param reason a sentence, for every state but `ok`
   * @param code the code of the error that publishing waits for, if it waits
   */
  setPublishing(state: ComponentState, reason: string | null = null, code: PublishingCode | null = null): void {
    this.#publishing = this.#changed(this.#publishing, state, reason)
    this.#publishingCode = code
  }

  /** @param ms the pause that Kafka has asked for because a quota is exceeded */
  setThrottled(ms: number): void {
    this.#throttledUntil = Math.max(this.#throttledUntil, this.#deps.clock.monotonic() + ms)
  }

  /** @param reason a sentence; with `ok` what the operator should know nevertheless, null if there is nothing */
  setRegistry(state: ComponentState, reason: string | null = null): void {
    this.#registry = this.#changed(this.#registry, state, reason)
  }

  /**
   * @param event the event of the log line about it, which has an entry in docs/runbook.md
   * @param warning a sentence on what the operator should know of the journal although it works
   */
  addJournalWarning(event: JournalWarning['event'], warning: string): void {
    this.#journalWarnings.push({ event, warning })
  }

  /** @param refusal is null for a callback that was accepted; the source is empty if the request named none */
  recordCallback(source: string, code: number, refusal: CallbackRefusalReason | null): void {
    const record = this.#recordOf(source)
    if (refusal === null) record.callbackAccepted()
    else record.callbackRefused(code, refusal)
  }

  /** Records a page with items that is in custody. */
  recordPage(source: string): void {
    this.#recordOf(source).received()
  }

  recordPull(source: string, state: PullState): void {
    this.#recordOf(source).pullChanged(state)
  }

  /** Records that another replica pulls the source from now on. */
  recordPullingHandedOver(source: string): void {
    this.#recordOf(source).pullChanged(undefined)
  }

  recordReconciling(source: string, state: ReconcileState): void {
    this.#recordOf(source).reconcilingChanged(state)
  }

  recordLostAnswer(source: string, last: LostAnswer): void {
    this.#recordOf(source).answerLost(last)
  }

  /** Records receipts and messages that are committed. */
  recordPublished(source: string, events: number): void {
    this.#recordOf(source).published(events)
    this.#publishedEvents.add(events)
  }

  /** Records a dead letter that is committed. */
  recordDeadLetter(source: string, letter: DeadLetterSummary): void {
    this.#recordOf(source).deadLetter(letter)
  }

  /** Records that a dead letter was handed in for replay, and is in custody. */
  recordReplayHandedIn(source: string): void {
    this.#recordOf(source).replayHandedIn()
  }

  /** Records what became of an item of a replayed dead letter. */
  recordReplayedItem(source: string, outcome: ReplayOutcome): void {
    this.#recordOf(source).itemReplayed(outcome)
  }

  /** Looks at the journal every few seconds until the signal aborts: how full it is, and since when it refuses callbacks. */
  async watchJournal(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      this.#sampleJournal()
      await this.#deps.clock.sleep(JOURNAL_SAMPLE_INTERVAL_MS, signal)
    }
  }

  /** What the last hour was like, a number a minute, for the status page. */
  history() {
    return {
      published: this.#publishedEvents.completeMinutes(),
      journalBytes: this.#journalBytes.levels(),
      sources: new Map([...this.#records].map(([source, record]) => [source, record.history()])),
    }
  }

  /** Why callbacks can't be taken into custody now; null while they can. */
  unreadyReason(): string | null {
    if (this.phase === 'starting') return 'starting: the callbacks server does not listen yet'
    if (this.phase === 'stopping') return 'stopping: send callbacks to another instance'
    return this.#journalRefusal() ?? this.#deps.callbackRefusal?.() ?? null
  }

  #throttleReason(): string | null {
    const leftMs = this.#throttledUntil - this.#deps.clock.monotonic()
    return leftMs > 0
      ? `Kafka throttles this client for another ${Math.ceil(leftMs / 1_000)} s, because a quota is exceeded`
      : null
  }

  /** Times are in ISO 8601. */
  snapshot() {
    const { instance, version, journal, journalMaxBytes, clock, group } = this.#deps
    const { entries, bytes, oldestReceivedAt } = this.#journalStats()
    const reason = this.unreadyReason()
    const { refusal, refusalCause, freeBytes } = this.#sampleJournal()
    return {
      instance,
      version,
      time: iso(clock.now()),
      startedAt: iso(this.#startedAt),
      uptimeSeconds: Math.floor((clock.monotonic() - this.#startedMonotonic) / 1_000),
      ready: reason === null,
      reason,
      configuration: this.#configurationFacts(),
      publishing: {
        ...this.#publishing,
        /** The code of the error that publishing waits for, as in the log line `publishing-waiting`; null while it does not wait. */
        code: this.#publishingCode,
        reason: shown(this.#publishing.reason ?? this.#throttleReason()),
        since: iso(this.#publishing.since),
        isThrottled: this.#throttleReason() !== null,
        /** When the last receipt or message of any source was committed; null before the first. */
        lastPublishedAt: iso(maxOf([...this.#records.values()].map((record) => record.lastPublishedAt))),
      },
      registry: {
        ...this.#registry,
        reason: shown(this.#registry.reason),
        since: iso(this.#registry.since),
      },
      /** The numbers are null while the journal can't be read. */
      journal: {
        id: journal.id,
        entries,
        bytes,
        maxBytes: journalMaxBytes,
        oldestAgeSeconds: oldestReceivedAt === null ? 0 : Math.max(0, (clock.now() - oldestReceivedAt) / 1_000),
        refusal,
        /** `full`, `disk`, `file-missing` or `unusable`; null while callbacks are taken, or if the cause is not known. */
        refusalCause,
        /** Since when callbacks are refused; null while they are taken. */
        refusedSince: iso(this.#refusedSince),
        /** The bytes that callbacks can still use, within the limit and on the disk. */
        freeBytes,
        /** Since when little room is left; null while there is more. */
        fillingSince: iso(this.#fillingSince),
        /** When the journal will be full if it goes on growing as in the last minutes; null if it does not grow. */
        fullInSeconds: this.#fullInSeconds(freeBytes),
        /** Null if there is nothing to warn of. */
        warning: this.#journalWarnings.map(({ warning }) => warning).join('. ') || null,
        warnings: this.#journalWarnings,
      },
      /** null where this process works alone. */
      sharing:
        group === undefined
          ? null
          : {
              group,
              ...this.membership,
              reason: shown(this.membership.reason),
              since: iso(this.membership.since),
              following: { ...this.following, reason: shown(this.following.reason) },
            },
      sources: this.#sources.map(({ name, provider, callback, reconcile, pull }) => ({
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
        /** Since the start of this process; null for a source without `callback`. */
        callbacks: callback === undefined ? null : this.#callbacksOf(name),
        /** When the last callback or page came into custody, and when the last receipt or message was committed. */
        lastReceivedAt: iso(this.#recordOf(name).lastReceivedAt),
        lastPublishedAt: iso(this.#recordOf(name).lastPublishedAt),
        /** Since the start of this process. */
        replays: this.#replaysOf(name),
      })),
      /** Refused requests to the port of the callbacks that name no source. */
      callbacksWithoutSource: {
        ...this.#callbacksOf(''),
        /** When the last path of a callback named no source. Requests to other paths may have come since. */
        lastUnknownSourceAt: iso(this.#recordOf('').refusedAt.get('unknown-source') ?? null),
      },
      /** Since the start of this process, by source and reason, the latest first. */
      deadLetters: this.#deadLetters(),
    }
  }

  #recordOf(source: string): SourceRecord {
    let record = this.#records.get(source)
    if (record === undefined) {
      record = new SourceRecord(this.#deps.clock)
      this.#records.set(source, record)
    }
    return record
  }

  #configurationFacts() {
    const { loadedAt, failure } = this.#configuration
    return {
      /** When the configuration in use was loaded. */
      loadedAt: iso(loadedAt),
      /** Why the configuration on disk is not in use, and since when; null while it is. */
      failure: failure && { ...failure, since: iso(failure.since), reason: shown(failure.reason) },
    }
  }

  #sampleJournal() {
    const { clock, journalMaxBytes } = this.#deps
    const refusal = this.#journalRefusal()
    const room = this.#custodyRoom()
    const freeBytes = room?.freeBytes ?? null
    const hasLittleRoom = freeBytes !== null && freeBytes < journalMaxBytes * LITTLE_ROOM_SHARE
    this.#refusedSince = refusal === null ? null : (this.#refusedSince ?? clock.now())
    this.#fillingSince = hasLittleRoom ? (this.#fillingSince ?? clock.now()) : null
    this.#journalBytes.raise(this.#journalStats().bytes ?? 0)
    return { refusal, refusalCause: room?.refusalCause ?? null, freeBytes }
  }

  #custodyRoom(): CustodyRoom | null {
    try {
      return this.#deps.journal.custodyRoom()
    } catch {
      return null
    }
  }

  #fullInSeconds(freeBytes: number | null): number | null {
    const recent = this.#journalBytes.levels().slice(-GROWTH_MINUTES)
    const growth = (recent.at(-1) ?? 0) - (recent[0] ?? 0)
    if (freeBytes === null || growth <= 0) return null
    return Math.round((freeBytes / growth) * (recent.length - 1) * 60)
  }

  #callbacksOf(source: string) {
    const { accepted, lastAcceptedAt, refused, lastRefused, refusedInARow, refusedSince } = this.#recordOf(source)
    return {
      accepted,
      lastAcceptedAt: iso(lastAcceptedAt),
      refused,
      lastRefused: lastRefused && { ...lastRefused, at: iso(lastRefused.at) },
      /** The refused callbacks since the last one that was accepted, and when they began. */
      refusedInARow,
      refusedSince: iso(refusedSince),
    }
  }

  #replaysOf(source: string) {
    const { replaysHandedIn, lastReplayHandedInAt, replayedItems, lastReplayAt } = this.#recordOf(source)
    return {
      /** Dead letters that were handed in at the admin port. Those that a command wrote into the journal before the start are not. */
      handedIn: replaysHandedIn,
      lastHandedInAt: iso(lastReplayHandedInAt),
      /** Items of replayed dead letters, by what became of them, and when that of the last one was known. */
      items: { ...replayedItems },
      lastItemAt: iso(lastReplayAt),
    }
  }

  #deadLetters() {
    return [...this.#records]
      .flatMap(([source, { deadLetters }]) => [...deadLetters].map(([reason, each]) => ({ source, reason, ...each })))
      .sort((a, b) => b.lastAt - a.lastAt)
      .map(({ lastAt, lastDetail, ...rest }) => ({
        ...rest,
        lastAt: iso(lastAt),
        lastDetail: shown(lastDetail),
      }))
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
    const { pull: report, pullFailingSince } = this.#recordOf(source)
    if (report === undefined) {
      // No poller of this process has reported yet. The name of the state is kept for readers of /status.json.
      const since = iso(this.#startedAt)
      const nothing = {
        limit: null,
        inFlightItems: 0,
        nextAt: null,
        lastError: null,
        lastErrorOutcome: null,
        lastPageAt: null,
        failingSince: null,
      }
      return { state: 'not-here' as const, since, ...nothing }
    }
    const { since, nextAt, lastPageAt, lastError } = report
    return {
      ...report,
      since: iso(since),
      nextAt: iso(nextAt),
      lastPageAt: iso(lastPageAt),
      lastError: shown(lastError),
      failingSince: iso(pullFailingSince),
    }
  }

  #lostAnswersOf(source: string) {
    const { lostAnswers: count, lastLostAnswer: last } = this.#recordOf(source)
    if (last === null) return { count, lastAt: null, lastReason: null, lastDetail: null }
    return { count, lastAt: iso(last.at), lastReason: last.reason, lastDetail: shown(last.detail) }
  }

  #reconcilingOf(source: string) {
    const { reconciling: report, reconcilingFailingSince } = this.#recordOf(source)
    if (report === undefined) return null
    const { outbound, inbound } = report.lastWalkAt
    return {
      ...report,
      lastError: shown(report.lastError),
      failingSince: iso(reconcilingFailingSince),
      since: iso(report.since),
      lastAnswerAt: iso(report.lastAnswerAt),
      lastWalkAt: { outbound: iso(outbound), inbound: iso(inbound) },
    }
  }

  #changed(component: Component, state: ComponentState, reason: string | null): Component {
    return { state, reason, since: component.state === state ? component.since : this.#deps.clock.now() }
  }
}

/**
 * Presents a text of the connector or of what it talks to, which may quote secrets and people's phone numbers, and may be as long
 * as an answer.
 */
const shown = <T extends string | null>(text: T): T =>
  (text === null ? text : maskPeople(excerpt(text, MAX_TEXT_LENGTH))) as T

const maskPeople = personalDataMask('masked').sentence

const maxOf = (times: readonly (number | null)[]): number | null => {
  const known = times.filter((time) => time !== null)
  return known.length === 0 ? null : Math.max(...known)
}

/** Formats a time in ISO 8601; a time that is not known stays null. */
const iso = <T extends number | null>(time: T) =>
  (time === null ? null : new Date(time).toISOString()) as T extends number ? string : null
