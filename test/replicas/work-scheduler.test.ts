import { describe, expect, it } from 'vitest'
import { standaloneScheduler, type StopOptions, type Work, WorkSwitch } from '../../src/replicas/work-scheduler.js'

/** Work that stops when a test says so. */
class SlowWork implements Work {
  started = 0
  forced = false
  /** How each call of `stop` was made. */
  stops: (StopOptions | undefined)[] = []
  end: () => void = () => undefined
  #ended: Promise<void> | undefined
  start(): void {
    this.started++
  }
  stop(forceSignal?: AbortSignal, options?: StopOptions): Promise<void> {
    this.stops.push(options)
    forceSignal?.addEventListener('abort', () => {
      this.forced = true
    })
    this.#ended ??= new Promise((resolve) => {
      this.end = resolve
    })
    return this.#ended
  }
}

const turn = (): Promise<void> => new Promise(setImmediate)

const createSwitch = (): { works: SlowWork[]; ended: () => number; work: WorkSwitch } => {
  const works: SlowWork[] = []
  let ended = 0
  const createWork = (): SlowWork => {
    const work = new SlowWork()
    works.push(work)
    return work
  }
  return {
    works,
    ended: () => ended,
    work: new WorkSwitch(createWork, () => {
      ended++
    }),
  }
}

describe('WorkSwitch', () => {
  it('creates work anew each time it is switched on, and only once while it is on', async () => {
    const { works, work, ended } = createSwitch()
    work.setEnabled(true)
    work.setEnabled(true)
    expect(works.map(({ started }) => started)).toEqual([1])
    work.setEnabled(false)
    works[0]!.end()
    await turn()
    expect(ended()).toBe(1)
    work.setEnabled(true)
    expect(works).toHaveLength(2)
  })

  it('creates no work before the previous work has stopped, and then only if it is still wanted', async () => {
    const { works, work } = createSwitch()
    work.setEnabled(true)
    work.setEnabled(false)
    work.setEnabled(true)
    await turn()
    expect(works).toHaveLength(1)
    works[0]!.end()
    await turn()
    expect(works).toHaveLength(2)
    work.setEnabled(false)
    work.setEnabled(true)
    work.setEnabled(false)
    works[1]!.end()
    await turn()
    expect(works).toHaveLength(2)
    expect(work.isOn).toBe(false)
  })

  it('stays off after stop, and passes the force signal on to the work that is stopping', async () => {
    const { works, work } = createSwitch()
    const force = new AbortController()
    work.setEnabled(true)
    const stopped = work.stop(force.signal)
    work.setEnabled(true)
    force.abort()
    expect(works[0]!.forced).toBe(true)
    works[0]!.end()
    await stopped
    expect(works).toHaveLength(1)
    expect(work.isOn).toBe(false)
  })
})

describe('WorkSwitch that gets other work', () => {
  const creating = (works: SlowWork[]) => (): SlowWork => {
    const work = new SlowWork()
    works.push(work)
    return work
  }

  it('awaits the answer that the present work has requested, and creates the last work that was given', async () => {
    const [first, second, third] = [[], [], []] as [SlowWork[], SlowWork[], SlowWork[]]
    const workSwitch = new WorkSwitch(creating(first))
    workSwitch.setEnabled(true)
    workSwitch.setWork(creating(second))
    workSwitch.setWork(creating(third))
    await turn()
    expect(first[0]!.stops).toEqual([{ waitsForAnswer: true }])
    expect([second, third]).toEqual([[], []])
    first[0]!.end()
    await turn()
    expect([second.length, third.length]).toEqual([0, 1])
    expect(third[0]!.started).toBe(1)
  })

  it('goes on with the same work if the function is the same', async () => {
    const works: SlowWork[] = []
    const create = creating(works)
    const workSwitch = new WorkSwitch(create)
    workSwitch.setEnabled(true)
    workSwitch.setWork(create)
    await turn()
    expect(works.map(({ stops }) => stops)).toEqual([[]])
  })

  it('creates nothing while it is off, or while there is no work', async () => {
    const works: SlowWork[] = []
    const workSwitch = new WorkSwitch(undefined)
    workSwitch.setWork(creating(works))
    expect(works).toEqual([])
    workSwitch.setEnabled(true)
    expect(works).toHaveLength(1)
    workSwitch.setWork(undefined)
    works[0]!.end()
    await turn()
    expect(workSwitch.isOn).toBe(false)
    expect(works).toHaveLength(1)
  })

  it('does not await an answer without a limit any more once the process ends', async () => {
    const works: SlowWork[] = []
    const workSwitch = new WorkSwitch(creating(works))
    workSwitch.setEnabled(true)
    workSwitch.setWork(creating(works))
    const stopped = workSwitch.stop()
    await turn()
    expect(works[0]!.stops).toEqual([{ waitsForAnswer: true }, undefined])
    works[0]!.end()
    await stopped
    expect(works).toHaveLength(1)
  })
})

describe('standaloneScheduler', () => {
  it('starts added work, ends removed work, replaces changed work and leaves the rest alone', async () => {
    const works: Record<string, SlowWork[]> = {}
    const creating = (name: string) => (): SlowWork => {
      const work = new SlowWork()
      works[name] = [...(works[name] ?? []), work]
      return work
    }
    const stopped: string[] = []
    const scheduler = standaloneScheduler({
      membershipChanged: () => undefined,
      ownershipChanged: () => undefined,
      workStopped: (source, kind) => stopped.push(`${source} ${kind}`),
    })
    const [keptPoll, keptReconcile] = [creating('kept poll'), creating('kept reconcile')]
    scheduler.start([
      { source: 'kept', poll: keptPoll, reconcile: keptReconcile },
      { source: 'changed', poll: creating('changed before') },
      { source: 'removed', poll: creating('removed'), reconcile: creating('removed too') },
    ])
    scheduler.update([
      { source: 'kept', poll: keptPoll, reconcile: keptReconcile },
      { source: 'changed', poll: creating('changed after') },
      { source: 'added', reconcile: creating('added') },
    ])
    expect(Object.keys(works).sort()).toEqual([
      'added',
      'changed before',
      'kept poll',
      'kept reconcile',
      'removed',
      'removed too',
    ])
    for (const name of ['changed before', 'removed', 'removed too']) works[name]![0]!.end()
    await turn()
    expect(works['changed after']).toHaveLength(1)
    expect(stopped.sort()).toEqual(['changed poll', 'removed poll', 'removed reconcile'])
    expect(works['kept poll']![0]!.stops).toEqual([])
    const ended = scheduler.stop(new AbortController().signal)
    for (const name of ['kept poll', 'kept reconcile', 'changed after', 'added']) works[name]![0]!.end()
    await ended
  })
})
