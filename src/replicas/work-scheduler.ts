/** Decides which sources this process polls and reconciles: all of them, or those that the replicas' group assigns to it. */
import type { SharingObserver } from '../core/observers.js'

/** Work that is started once and stopped once: the polling, or the reconciliation, of one source. */
export interface Work {
  start(): void
  /**
   * Resolves when nothing of the work is under way any more. It may be called again while it has not resolved.
   * @param forceSignal aborts every wait that only serves to finish cleanly
   */
  stop(forceSignal?: AbortSignal, options?: StopOptions): Promise<void>
}

export interface StopOptions {
  /** Whether an answer that was requested is awaited however long it takes. The default is false. */
  readonly waitsForAnswer?: boolean
}

/**
 * The work for one source apart from its callbacks. It is created anew whenever the source is assigned to this process, and
 * whenever a reload gives another function.
 */
export interface SourceWork {
  readonly source: string
  readonly poll?: (() => Work) | undefined
  readonly reconcile?: (() => Work) | undefined
}

export interface WorkScheduler {
  start(works: readonly SourceWork[]): void
  /** Replaces the works by those of another configuration. Work whose function is the same goes on. */
  update(works: readonly SourceWork[]): void
  /** Resolves when this process neither polls nor queries any more. */
  stop(forceSignal: AbortSignal): Promise<void>
}

export const WORK_KINDS = ['poll', 'reconcile'] as const
export type WorkKind = (typeof WORK_KINDS)[number]

/** Returns the scheduler of a process without replicas: all work runs here from start to stop. */
export function standaloneScheduler(
  observer: Pick<SharingObserver, 'membershipChanged' | 'ownershipChanged' | 'workStopped'>,
): WorkScheduler {
  const switches = new WorkSwitches((source, kind) => observer.workStopped(source, kind))
  const update = (works: readonly SourceWork[]): void => {
    switches.update(works)
    for (const { source } of works) {
      observer.ownershipChanged(source, true)
      for (const kind of WORK_KINDS) switches.of(source, kind).setEnabled(true)
    }
  }
  return {
    start(works) {
      observer.membershipChanged({ membership: 'assigned', since: 0, reason: null, partitions: [] })
      update(works)
    },
    update,
    async stop(forceSignal) {
      await Promise.all(WORK_KINDS.map((kind) => switches.stop(kind, forceSignal)))
    },
  }
}

/** The switches of all sources. A source that a reload removes keeps its switches, in case that another one adds it again. */
export class WorkSwitches {
  readonly #onStopped: (source: string, kind: WorkKind, isEnabled: boolean) => void
  readonly #switches: Readonly<Record<WorkKind, Map<string, WorkSwitch>>> = { poll: new Map(), reconcile: new Map() }

  /** @param onStopped called each time when work has stopped, with whether it is still enabled, so that other work may follow */
  constructor(onStopped: (source: string, kind: WorkKind, isEnabled: boolean) => void) {
    this.#onStopped = onStopped
  }

  /** Replaces the works of all sources. */
  update(works: readonly SourceWork[]): void {
    const bySource = new Map(works.map((work) => [work.source, work]))
    for (const kind of WORK_KINDS) {
      for (const source of new Set([...this.#switches[kind].keys(), ...bySource.keys()]))
        this.of(source, kind).setWork(bySource.get(source)?.[kind])
    }
  }

  of(source: string, kind: WorkKind): WorkSwitch {
    const switches = this.#switches[kind]
    let found = switches.get(source)
    if (found === undefined) {
      found = new WorkSwitch(undefined, (isEnabled) => this.#onStopped(source, kind, isEnabled))
      switches.set(source, found)
    }
    return found
  }

  /** Switches all work of a kind off for good. Resolves when it has stopped. */
  async stop(kind: WorkKind, forceSignal: AbortSignal): Promise<void> {
    await Promise.all([...this.#switches[kind].values()].map((each) => each.stop(forceSignal)))
  }
}

/**
 * Switches work on and off any number of times, and replaces it. Work is created anew each time, and never before the previous
 * work has stopped. Stopping may take a while, because an answer under way is awaited; when it has stopped, the last calls of
 * `setEnabled` and `setWork` decide.
 */
export class WorkSwitch {
  #createWork: (() => Work) | undefined
  readonly #onStopped: ((isEnabled: boolean) => void) | undefined
  readonly #force = new AbortController()
  #isEnabled = false
  #isStopped = false
  #work: Work | undefined
  /** The function that created the work. */
  #createdBy: (() => Work) | undefined
  #isSettling = false
  #settled: Promise<void> = Promise.resolve()

  /**
   * @param createWork undefined if there is nothing to do even while this is switched on
   * @param onStopped called each time when work has stopped, with whether this is still switched on
   */
  constructor(createWork: (() => Work) | undefined, onStopped?: (isEnabled: boolean) => void) {
    this.#createWork = createWork
    this.#onStopped = onStopped
  }

  /** Whether work is under way, or stopping. */
  get isOn(): boolean {
    return this.#work !== undefined
  }

  setEnabled(isEnabled: boolean): void {
    if (this.#isStopped) return
    this.#isEnabled = isEnabled
    this.#apply()
  }

  /** Replaces the work. What the present one has requested is awaited to its end, and stored, before the next one begins. */
  setWork(createWork: (() => Work) | undefined): void {
    if (this.#isStopped) return
    this.#createWork = createWork
    this.#apply()
  }

  /** Switches off for good. Resolves when the work has stopped. */
  async stop(forceSignal?: AbortSignal): Promise<void> {
    const force = (): void => this.#force.abort()
    if (forceSignal?.aborted) force()
    forceSignal?.addEventListener('abort', force)
    this.#isStopped = true
    this.#isEnabled = false
    // Work that is being replaced awaits its answer without a limit; at the end of the process there is one.
    if (this.#isSettling) void this.#work?.stop(this.#force.signal)
    this.#apply()
    await this.#settled
    forceSignal?.removeEventListener('abort', force)
  }

  #apply(): void {
    if (!this.#isSettling) this.#settled = this.#settle()
  }

  async #settle(): Promise<void> {
    this.#isSettling = true
    for (;;) {
      const wanted = this.#isEnabled ? this.#createWork : undefined
      if (this.#createdBy === wanted) break
      if (this.#work === undefined) {
        this.#work = wanted!()
        this.#createdBy = wanted
        this.#work.start()
      } else {
        await this.#work.stop(this.#force.signal, { waitsForAnswer: this.#isEnabled })
        this.#work = undefined
        this.#createdBy = undefined
        this.#onStopped?.(this.#isEnabled)
      }
    }
    this.#isSettling = false
  }
}
