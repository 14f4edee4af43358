/** Decides which sources this process polls and reconciles: all of them, or those that the replicas' group assigns to it. */
import type { SharingObserver } from '../core/observers.js'

/** Work that is started once and stopped once: the polling, or the reconciliation, of one source. */
export interface Work {
  start(): void
  /**
   * Resolves when nothing of the work is under way any more.
   * @param forceSignal aborts every wait that only serves to finish cleanly
   */
  stop(forceSignal?: AbortSignal): Promise<void>
}

/** The work for one source apart from its callbacks. It is created anew whenever the source is assigned to this process. */
export interface SourceWork {
  readonly source: string
  readonly poll?: (() => Work) | undefined
  readonly reconcile?: (() => Work) | undefined
}

export interface WorkScheduler {
  start(works: readonly SourceWork[]): void
  /** Resolves when this process neither polls nor queries any more. */
  stop(forceSignal: AbortSignal): Promise<void>
}

/** Returns the scheduler of a process without replicas: all work runs here from start to stop. */
export function standaloneScheduler(
  observer: Pick<SharingObserver, 'membershipChanged' | 'ownershipChanged'>,
): WorkScheduler {
  let switches: WorkSwitch[] = []
  return {
    start(works) {
      observer.membershipChanged({ membership: 'assigned', since: 0, reason: null, partitions: [] })
      for (const { source } of works) observer.ownershipChanged(source, true)
      switches = works
        .flatMap(({ poll, reconcile }) => [poll, reconcile].flatMap((createWork) => createWork ?? []))
        .map((createWork) => new WorkSwitch(createWork))
      for (const each of switches) each.setEnabled(true)
    },
    async stop(forceSignal) {
      await Promise.all(switches.map((each) => each.stop(forceSignal)))
    },
  }
}

/**
 * Switches work on and off any number of times. Work is created anew each time, and never before the previous work has stopped.
 * Stopping may take a while, because an answer under way is awaited; when it has stopped, the last call of `setEnabled` decides.
 */
export class WorkSwitch {
  readonly #createWork: () => Work
  readonly #onStopped: (() => void) | undefined
  readonly #force = new AbortController()
  #isEnabled = false
  #isStopped = false
  #work: Work | undefined
  #isSettling = false
  #settled: Promise<void> = Promise.resolve()

  /** @param onStopped called each time when work has stopped */
  constructor(createWork: () => Work, onStopped?: () => void) {
    this.#createWork = createWork
    this.#onStopped = onStopped
  }

  /** Whether work is under way, or stopping. */
  get isOn(): boolean {
    return this.#work !== undefined
  }

  setEnabled(isEnabled: boolean): void {
    if (this.#isStopped) return
    this.#apply(isEnabled)
  }

  /** Switches off for good. Resolves when the work has stopped. */
  async stop(forceSignal?: AbortSignal): Promise<void> {
    const force = (): void => this.#force.abort()
    if (forceSignal?.aborted) force()
    forceSignal?.addEventListener('abort', force)
    this.#isStopped = true
    this.#apply(false)
    await this.#settled
    forceSignal?.removeEventListener('abort', force)
  }

  #apply(isEnabled: boolean): void {
    this.#isEnabled = isEnabled
    if (!this.#isSettling) this.#settled = this.#settle()
  }

  async #settle(): Promise<void> {
    this.#isSettling = true
    while (this.#isEnabled !== this.isOn) {
      if (this.#work === undefined) {
        this.#work = this.#createWork()
        this.#work.start()
      } else {
        await this.#work.stop(this.#force.signal)
        this.#work = undefined
        this.#onStopped?.()
      }
    }
    this.#isSettling = false
  }
}
