import { describe, expect, it } from 'vitest'
import { type Work, WorkSwitch } from '../../src/replicas/work-scheduler.js'

/** Work that stops when a test says so. */
class SlowWork implements Work {
  started = 0
  forced = false
  end: () => void = () => undefined
  start(): void {
    this.started++
  }
  stop(forceSignal?: AbortSignal): Promise<void> {
    forceSignal?.addEventListener('abort', () => {
      this.forced = true
    })
    return new Promise((resolve) => {
      this.end = resolve
    })
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
