/**
 * This replica among the others: which sources it polls and reconciles, what it knows of what the others publish, and
 * what it hands over to them. The parts are put together here; each has a file of its own.
 */
import type { Admin, Batch } from 'kafkajs'
import type { Clock } from '../clock.js'
import type { Entry, Journal } from '../journal/journal.js'
import { Backlog } from './backlog.js'
import { Follower, type FollowerObserver } from './follower.js'
import { GroupMember, type SharingSettings } from './group-member.js'
import { Ownership, type Standing } from './ownership.js'
import type { Client, Log, Work } from './parts.js'
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

/** For metrics and the status page. */
export interface SharingObserver extends FollowerObserver {
  standing(standing: Standing, since: number, reason: string | null, partitions: readonly number[]): void
  owned(source: string, owned: boolean): void
  /** Polling has ended here; another replica does it. */
  left(source: string): void
}

export interface ReplicaParts {
  readonly client: () => Client
  readonly openTopic: (admin: Admin) => Promise<number>
  readonly journal: Pick<Journal, 'watchList' | 'remember'>
  readonly isFinal: (value: Buffer) => Promise<boolean>
  readonly windowOf: (source: string) => number
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
  readonly #parts: ReplicaParts
  readonly #ownership: Ownership
  readonly #member: GroupMember
  readonly #follower: Follower
  readonly #relay: WatchRelay
  readonly #backlog: Backlog
  readonly #switches = new Map<string, Switches>()
  #owned: ReadonlySet<string> = new Set()
  #said: string | null = null
  #readers = 0

  constructor(options: ReplicaOptions, parts: ReplicaParts) {
    const { sources, reconciled, sessionTimeout } = options
    this.#options = options
    this.#parts = parts
    const open = (since: number, take: (batch: Batch) => Promise<void>): Promise<TopicReader> => this.#read(since, take)
    const { journal } = parts
    this.#ownership = new Ownership({ sources, sessionTimeout, clock: parts.clock, changed: () => this.#changed() })
    this.#follower = new Follower({
      ...parts,
      open,
      remember: (published, watch) => journal.remember(published, watch),
      progress: journal.watchList,
    })
    this.#relay = new WatchRelay({
      ...parts,
      topic: options.topic,
      sources: reconciled,
      assignment: () => (this.#ownership.standing === 'assigned' ? this.#ownership.assignment : undefined),
      owns: (source) => this.#ownership.has(source),
    })
    this.#backlog = new Backlog({
      ...parts,
      open,
      sources: new Set(reconciled),
      old: Math.min(OLD, sessionTimeout),
      remember: (published) => journal.remember(published, []),
    })
    this.#member = new GroupMember(options, parts, {
      assigned: (assignment) => this.#ownership.assigned(assignment),
      heard: (sentAt) => this.#ownership.heard(sentAt),
      lost: (error) => this.#ownership.lost(parts.explain(error)),
      received: ({ value }) => this.#relay.receive(value),
    })
  }

  /** Begins to share this work. */
  start(works: readonly SourceWork[]): void {
    const { observer } = this.#parts
    for (const { source, poll, reconcile } of works) {
      this.#switches.set(source, {
        ...(poll && { poll: new WorkSwitch(poll, () => observer.left(source)) }),
        ...(reconcile && { reconcile: new WorkSwitch(reconcile) }),
      })
      observer.owned(source, false)
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
  gate(source: string): QueryGate {
    const { clock } = this.#parts
    return new QueryGate({
      sole: () => this.#ownership.sole(source),
      followedFor: () => this.#follower.followedFor(),
      calm: this.#options.sessionTimeout,
      clock,
    })
  }

  /** See `Backlog.check`. */
  upToDate(entries: readonly Entry[], signal: AbortSignal): Promise<void> {
    return this.#backlog.check(entries, signal)
  }

  /** Messages were put on the watch list by request. */
  watchAdded(): void {
    this.#relay.poke()
  }

  #changed(): void {
    const { observer, log } = this.#parts
    const { standing, since, reason, assignment } = this.#ownership
    observer.standing(standing, since, reason, assignment?.assigned ?? [])
    const { sources, reconciled } = this.#options
    const owned = new Set(sources.filter((source) => this.#ownership.has(source)))
    const gained = [...owned].filter((source) => !this.#owned.has(source))
    const lost = [...this.#owned].filter((source) => !owned.has(source))
    this.#owned = owned
    if (standing !== this.#said) say(log, standing, reason)
    this.#said = standing
    if (gained.length + lost.length > 0) log.info({ gained, lost, owned: owned.size }, 'sources were assigned')
    for (const [source, { poll, reconcile }] of this.#switches) {
      observer.owned(source, owned.has(source))
      poll?.set(owned.has(source))
      // By the word of the group alone; whether it holds at this moment is asked at its gate.
      reconcile?.set(owned.has(source) && standing !== 'alone')
    }
    this.#follower.follow(standing === 'alone' ? [] : reconciled.filter((source) => owned.has(source)))
  }

  #read(since: number, take: (batch: Batch) => Promise<void>): Promise<TopicReader> {
    const { instance, topics } = this.#options
    const { client, clock } = this.#parts
    // A name of its own each time: a group waits for members that were killed.
    const group = `dlr-mo-connector.${instance}.reader-${process.pid}-${clock.now()}-${this.#readers++}`
    return TopicReader.open({ topics, since, group }, { client: client(), clock, take })
  }
}

function say(log: Log, standing: Standing, reason: string | null): void {
  switch (standing) {
    case 'assigned':
      return log.info({}, 'a member of the group: what it assigns is polled and reconciled here')
    case 'keeps':
      return log.warn({}, `no word from the group, the sources that it last assigned are kept: ${reason}`)
    case 'alone':
      return log.warn({}, `no word from the group yet, all sources are polled here and none is reconciled: ${reason}`)
    case 'waiting':
  }
}
