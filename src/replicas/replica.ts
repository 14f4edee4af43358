/**
 * This replica among the others: which sources it polls and reconciles, what it knows of what the others publish, and
 * what it hands over to them. The parts are put together here; each has a file of its own.
 */
import type { Admin, Batch } from 'kafkajs'
import type { Clock } from '../core/clock.js'
import type { Entry, Journal } from '../journal/journal.js'
import { Backlog } from './backlog.js'
import { TopicFollower } from './topic-follower.js'
import type { SharingObserver } from '../core/observers.js'
import { GroupMember, type SharingSettings } from './group-member.js'
import { Ownership } from './ownership.js'
import type { Membership } from '../core/observers.js'
import type { Log } from '../core/log.js'
import type { Client, Work } from './deps.js'
import { QueryGate } from './query-gate.js'
import { TopicReader } from './topic-reader.js'
import { WatchRelay } from './watch-relay.js'
import { WorkSwitch } from './work-switch.js'

export interface ReplicaOptions extends SharingSettings {
  /** Unique on the cluster. */
  readonly instance: string
  /** All that are polled or reconciled. */
  readonly sources: readonly string[]
  /** Those that are reconciled. */
  readonly reconciled: readonly string[]
  /** Where events are published. */
  readonly topics: readonly string[]
}

export interface ReplicaDeps {
  readonly client: () => Client
  readonly openTopic: (admin: Admin) => Promise<number>
  readonly journal: Pick<Journal, 'watchList' | 'topicProgress' | 'recordPublished'>
  readonly isFinal: (value: Buffer) => Promise<boolean>
  readonly lookBackOf: (source: string) => number
  readonly isRefusal: (error: unknown) => boolean
  /** In a sentence. */
  readonly explain: (error: unknown) => string
  readonly clock: Clock
  readonly log: Log
  readonly observer: SharingObserver
}

/** What is done for a source besides taking callbacks; begun anew whenever it becomes ours. */
export interface SourceWork {
  readonly source: string
  readonly poll?: (() => Work) | undefined
  readonly reconcile?: (() => Work) | undefined
}

interface Switches {
  readonly poll?: WorkSwitch
  readonly reconcile?: WorkSwitch
}

/** Ms from which on an entry may have been published elsewhere, at most. */
const OLD = 10_000

export class Replica {
  readonly #options: ReplicaOptions
  readonly #deps: ReplicaDeps
  readonly #ownership: Ownership
  readonly #member: GroupMember
  readonly #follower: TopicFollower
  readonly #relay: WatchRelay
  readonly #backlog: Backlog
  readonly #switches = new Map<string, Switches>()
  #owned: ReadonlySet<string> = new Set()
  #said: string | null = null
  #readers = 0

  constructor(options: ReplicaOptions, deps: ReplicaDeps) {
    const { sources, reconciled, sessionTimeout } = options
    this.#options = options
    this.#deps = deps
    const open = (since: number, take: (batch: Batch) => Promise<void>): Promise<TopicReader> => this.#read(since, take)
    const { journal } = deps
    this.#ownership = new Ownership({ sources, sessionTimeout, clock: deps.clock, changed: () => this.#changed() })
    this.#follower = new TopicFollower({
      ...deps,
      open,
      remember: (published, watch) => journal.recordPublished(published, watch),
      progress: journal.topicProgress,
    })
    this.#relay = new WatchRelay({
      ...deps,
      topic: options.topic,
      sources: reconciled,
      assignment: () => (this.#ownership.membership === 'assigned' ? this.#ownership.assignment : undefined),
      owns: (source) => this.#ownership.has(source),
    })
    this.#backlog = new Backlog({
      ...deps,
      open,
      sources: new Set(reconciled),
      old: Math.min(OLD, sessionTimeout),
      remember: (published) => journal.recordPublished(published, []),
    })
    this.#member = new GroupMember(options, deps, {
      assigned: (assignment) => this.#ownership.assigned(assignment),
      heard: (sentAt) => this.#ownership.heard(sentAt),
      lost: (error) => this.#ownership.lost(deps.explain(error)),
      received: ({ value }) => this.#relay.receive(value),
    })
  }

  /** Begins to share this work. */
  start(works: readonly SourceWork[]): void {
    const { observer } = this.#deps
    for (const { source, poll, reconcile } of works) {
      this.#switches.set(source, {
        ...(poll && { poll: new WorkSwitch(poll, () => observer.pollingHandedOver(source)) }),
        ...(reconcile && { reconcile: new WorkSwitch(reconcile) }),
      })
      observer.ownershipChanged(source, false)
    }
    this.#ownership.start()
    this.#member.start()
    this.#follower.start()
    this.#relay.start()
  }

  /** Lets the others have its sources, while what is in hand is brought to its end. */
  async stop(hurry: AbortSignal): Promise<void> {
    this.#ownership.end()
    const ended = (of: keyof Switches): Promise<unknown> =>
      Promise.all([...this.#switches.values()].map(async (switches) => switches[of]?.stop(hurry)))
    // Two that poll do no harm; two that reconcile might publish the same.
    const polled = ended('poll')
    await ended('reconcile')
    await Promise.all([this.#member.stop(), this.#follower.stop(), this.#relay.stop(), polled])
  }

  /** After the last entry was published. */
  close(): Promise<void> {
    return this.#backlog.close()
  }

  /** When this source may be queried. */
  queryGate(source: string): QueryGate {
    const { clock } = this.#deps
    return new QueryGate({
      sole: () => this.#ownership.sole(source),
      followedFor: () => this.#follower.followedFor(),
      calm: this.#options.sessionTimeout,
      clock,
    })
  }

  /** See `Backlog.check`. */
  syncPublished(entries: readonly Entry[], signal: AbortSignal): Promise<void> {
    return this.#backlog.check(entries, signal)
  }

  /** Messages were put on the watch list by request. */
  watchAdded(): void {
    this.#relay.poke()
  }

  #changed(): void {
    const { observer, log } = this.#deps
    const { membership, since, reason, assignment } = this.#ownership
    observer.membershipChanged(membership, since, reason, assignment?.assigned ?? [])
    const { sources, reconciled } = this.#options
    const owned = new Set(sources.filter((source) => this.#ownership.has(source)))
    const gained = [...owned].filter((source) => !this.#owned.has(source))
    const lost = [...this.#owned].filter((source) => !owned.has(source))
    this.#owned = owned
    if (membership !== this.#said) say(log, membership, reason)
    this.#said = membership
    if (gained.length + lost.length > 0) log.info({ gained, lost, owned: owned.size }, 'sources were assigned')
    for (const [source, { poll, reconcile }] of this.#switches) {
      observer.ownershipChanged(source, owned.has(source))
      poll?.set(owned.has(source))
      // By the word of the group alone; whether it holds at this moment is asked at its gate.
      reconcile?.set(owned.has(source) && membership !== 'standalone')
    }
    this.#follower.follow(membership === 'standalone' ? [] : reconciled.filter((source) => owned.has(source)))
  }

  #read(since: number, take: (batch: Batch) => Promise<void>): Promise<TopicReader> {
    const { instance, topics } = this.#options
    const { client, clock } = this.#deps
    // A name of its own each time: a group waits for members that were killed.
    const group = `dlr-mo-connector.${instance}.reader-${process.pid}-${clock.now()}-${this.#readers++}`
    return TopicReader.open({ topics, since, group }, { client: client(), clock, take })
  }
}

function say(log: Log, membership: Membership, reason: string | null): void {
  switch (membership) {
    case 'assigned':
      return log.info({}, 'a member of the group: what it assigns is polled and reconciled here')
    case 'disconnected':
      return log.warn({}, `no word from the group, the sources that it last assigned are kept: ${reason}`)
    case 'standalone':
      return log.warn({}, `no word from the group yet, all sources are polled here and none is reconciled: ${reason}`)
    case 'waiting':
  }
}
