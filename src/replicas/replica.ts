/**
 * This process as one of several replicas: which sources it polls and reconciles, what it knows of what the others publish, and what
 * it sends to them. This file connects the parts; each has its own file.
 */
import type { Membership, SharingObserver } from '../core/observers.js'
import { OutageLog } from '../core/outage-log.js'
import type { Entry, Journal } from '../journal/journal.js'
import { formatKafkaError } from '../kafka/kafka-errors.js'
import { PublishedSync } from './published-sync.js'
import { GroupMember, type GroupMemberDeps, type SharingSettings } from './group-member.js'
import { Ownership } from './ownership.js'
import { QueryGate } from './query-gate.js'
import { type FollowerDeps, TopicFollower } from './topic-follower.js'
import { type OpenReader, TopicReader } from './topic-reader.js'
import { WatchRelay } from './watch-relay.js'
import { type SourceWork, type WorkKind, type WorkScheduler, WorkSwitches } from './work-scheduler.js'

export interface ReplicaOptions extends SharingSettings {
  /** Unique on the cluster. */
  readonly instance: string
  /** The sources that are polled or reconciled. */
  readonly sources: readonly string[]
  /** The sources that are reconciled. */
  readonly reconciled: readonly string[]
  /** The topics that events are published to. */
  readonly topics: readonly string[]
}

export interface ReplicaDeps extends GroupMemberDeps, Omit<FollowerDeps, 'openReader'> {
  readonly journal: Pick<Journal, 'watchList'> & FollowerDeps['journal']
  readonly observer: SharingObserver
}

/** The age from which an entry may have been published by another replica, unless the session timeout is shorter. */
const OLD_ENTRY_MS = 10_000
const JOINED = 'this replica has joined the group, and polls and reconciles the sources that the group assigns to it'

export class Replica implements WorkScheduler {
  readonly #options: ReplicaOptions
  readonly #deps: ReplicaDeps
  readonly #ownership: Ownership
  readonly #member: GroupMember
  readonly #follower: TopicFollower
  readonly #relay: WatchRelay
  readonly #publishedSync: PublishedSync
  readonly #switches: WorkSwitches
  /** The sources that are polled or reconciled, and those of them that are reconciled. They change with the configuration. */
  readonly #sources: Set<string>
  readonly #reconciled: Set<string>
  #owned: ReadonlySet<string> = new Set()
  readonly #outages: OutageLog
  #hasLoggedJoining = false
  #readerCount = 0

  constructor(options: ReplicaOptions, deps: ReplicaDeps) {
    const { sessionTimeout } = options
    this.#options = options
    this.#deps = deps
    this.#sources = new Set(options.sources)
    this.#reconciled = new Set(options.reconciled)
    this.#switches = new WorkSwitches((source, kind, isEnabled) => {
      // Work that is replaced, because the configuration was changed, stays here.
      if (kind === 'poll' && !isEnabled) deps.observer.pollingHandedOver(source)
      deps.observer.workStopped(source, kind)
    })
    this.#outages = new OutageLog(
      {
        failureEvent: 'group-unavailable',
        recoveryEvent: 'group-joined',
        formatFailure: (sentence) => sentence,
        recovery: JOINED,
      },
      deps,
    )
    const openReader: OpenReader = (start, onBatch) => {
      // The group's name is new each time, because a group waits for a member that was killed.
      const group = `dlr-mo-connector.${options.instance}.reader-${process.pid}-${deps.clock.now()}-${this.#readerCount}`
      this.#readerCount++
      const { topics } = options
      return TopicReader.open({ topics, start, group, client: deps.createClient(), clock: deps.clock, onBatch })
    }
    this.#ownership = new Ownership({
      sources: this.#sources,
      sessionTimeout,
      clock: deps.clock,
      onChange: () => this.#applyOwnership(),
    })
    this.#follower = new TopicFollower({
      ...deps,
      openReader,
    })
    this.#relay = new WatchRelay({
      ...deps,
      topic: options.topic,
      sources: this.#reconciled,
      ownership: this.#ownership,
    })
    this.#publishedSync = new PublishedSync({
      ...deps,
      openReader,
      sources: this.#reconciled,
      oldAfterMs: Math.min(OLD_ENTRY_MS, sessionTimeout),
    })
    this.#member = new GroupMember(options, deps, {
      assigned: (assignment) => this.#ownership.assigned(assignment),
      heartbeatAnswered: (sentAt) => this.#ownership.heartbeatAnswered(sentAt),
      disconnected: (error) => this.#ownership.disconnected(formatKafkaError(error)),
      recordReceived: ({ value }) => this.#relay.receive(value),
    })
  }

  start(works: readonly SourceWork[]): void {
    this.#switches.update(works)
    for (const { source } of works) this.#deps.observer.ownershipChanged(source, false)
    this.#ownership.start()
    this.#member.start()
    this.#follower.start()
    this.#relay.start()
  }

  /** Replaces the works, and with them the sources that this replica may own. */
  update(works: readonly SourceWork[]): void {
    const named = (has: (work: SourceWork) => unknown): string[] =>
      works.filter((work) => has(work) !== undefined).map(({ source }) => source)
    replaceAll(
      this.#sources,
      named(({ poll, reconcile }) => poll ?? reconcile),
    )
    replaceAll(
      this.#reconciled,
      named(({ reconcile }) => reconcile),
    )
    // A source that was here before and is added again may belong to another replica by now.
    this.#ownership.sourcesChanged()
    this.#switches.update(works)
  }

  /** Stops the work and leaves the group. Reconciliation has stopped before the group can assign the sources to others. */
  async stop(forceSignal: AbortSignal): Promise<void> {
    this.#ownership.stop()
    const stopAll = (kind: WorkKind): Promise<void> => this.#switches.stop(kind, forceSignal)
    // Two pollers of one queue do no harm, while two replicas that reconcile a source might publish the same item.
    const pollingStopped = stopAll('poll')
    await stopAll('reconcile')
    await Promise.all([this.#member.stop(), this.#follower.stop(), this.#relay.stop(), pollingStopped])
  }

  /** Call it after the last entry was published. */
  close(): Promise<void> {
    return this.#publishedSync.close()
  }

  /** Returns the gate that decides when a source may be queried. */
  queryGate(source: string): QueryGate {
    const { clock } = this.#deps
    return new QueryGate({
      ownsExclusively: () => this.#ownership.ownsExclusively(source),
      followedFor: () => this.#follower.followedFor(),
      minFollowedMs: this.#options.sessionTimeout,
      clock,
    })
  }

  /** See `PublishedSync.syncPublished`. */
  syncPublished(entries: readonly Entry[], signal: AbortSignal): Promise<void> {
    return this.#publishedSync.syncPublished(entries, signal)
  }

  /** Relays messages that a request has added to the watch list. */
  relayWatched(): void {
    this.#relay.wake()
  }

  #applyOwnership(): void {
    const { observer, log } = this.#deps
    const { report } = this.#ownership
    const { membership, reason } = report
    observer.membershipChanged(report)
    const owned = new Set([...this.#sources].filter((source) => this.#ownership.owns(source)))
    const gained = [...owned].filter((source) => !this.#owned.has(source))
    const lost = [...this.#owned].filter((source) => !owned.has(source))
    this.#owned = owned
    this.#logMembership(membership, reason)
    if (gained.length + lost.length > 0)
      log.info({ event: 'assignment-changed', gained, lost, owned: owned.size }, 'the assigned sources have changed')
    for (const source of this.#sources) {
      observer.ownershipChanged(source, owned.has(source))
      this.#switches.of(source, 'poll').setEnabled(owned.has(source))
      // This follows the group's assignment; the query gate checks at each query that the assignment still holds.
      this.#switches.of(source, 'reconcile').setEnabled(owned.has(source) && membership !== 'standalone')
    }
    const followed = [...this.#reconciled].filter((source) => owned.has(source))
    this.#follower.follow(membership === 'standalone' ? [] : followed)
  }

  #logMembership(membership: Membership, reason: string | null): void {
    const cause = `${membership} ${reason}`
    switch (membership) {
      case 'assigned':
        if (this.#outages.lastError !== null) this.#outages.recovered()
        else if (!this.#hasLoggedJoining) this.#deps.log.info({ event: 'group-joined' }, JOINED)
        this.#hasLoggedJoining = true
        return
      case 'disconnected':
        return this.#outages.failed(cause, `the group does not answer, and the last assignment is kept: ${reason}`)
      case 'standalone':
        return this.#outages.failed(
          cause,
          `the group has not answered yet, so all sources are polled here and none is reconciled: ${reason}`,
        )
      case 'waiting':
    }
  }
}

const replaceAll = (set: Set<string>, names: readonly string[]): void => {
  set.clear()
  for (const name of names) set.add(name)
}
