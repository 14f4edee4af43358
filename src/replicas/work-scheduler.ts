/** Decides which sources this process polls and reconciles: all of them, or those that the replicas' group assigns to it. */
import type { SharingObserver } from '../core/observers.js'
import { type Work, WorkSwitch } from './work-switch.js'

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
      for (const each of switches) each.setWanted(true)
    },
    async stop(forceSignal) {
      await Promise.all(switches.map((each) => each.stop(forceSignal)))
    },
  }
}
