import { describe, expect, it } from 'vitest'
import type { Work } from '../../src/replicas/deps.js'
import { WorkSwitch } from '../../src/replicas/work-switch.js'

/** Work whose end a test decides. */
class SlowWork implements Work {
  started = 0
  hurried = false
  end: () => void = () => undefined
  start(): void {
    this.started++
  }
  stop(hurry?: AbortSignal): Promise<void> {
    hurry?.addEventListener('abort', () => (this.hurried = true))
    return new Promise((resolve) => (this.end = resolve))
  }
}

const turn = (): Promise<void> => new Promise(setImmediate)

const switched = (): { works: SlowWork[]; ended: () => number; work: WorkSwitch } => {
  const works: SlowWork[] = []
  let ended = 0
  const begin = (): SlowWork => {
    const work = new SlowWork()
    works.push(work)
    return work
  }
  return { works, ended: () => ended, work: new WorkSwitch(begin, () => ended++) }
}

describe('a switch', () => {
  it('begins work anew each time, and once however often it is told to', async () => {
    const { works, work, ended } = switched()
    work.set(true)
    work.set(true)
    expect(works.map(({ started }) => started)).toEqual([1])
    work.set(false)
    works[0]!.end()
    await turn()
    expect(ended()).toBe(1)
    work.set(true)
    expect(works).toHaveLength(2)
  })

  it('begins none before the last has ended, and then only if it is still wanted', async () => {
    const { works, work } = switched()
    work.set(true)
    work.set(false)
    work.set(true)
    await turn()
    expect(works).toHaveLength(1)
    works[0]!.end()
    await turn()
    expect(works).toHaveLength(2)
    work.set(false)
    work.set(true)
    work.set(false)
    works[1]!.end()
    await turn()
    expect(works).toHaveLength(2)
    expect(work.on).toBe(false)
  })

  it('is off for good once it was stopped, and passes a hurry on to what is ending', async () => {
    const { works, work } = switched()
    const hurry = new AbortController()
    work.set(true)
    const stopped = work.stop(hurry.signal)
    work.set(true)
    hurry.abort()
    expect(works[0]!.hurried).toBe(true)
    works[0]!.end()
    await stopped
    expect(works).toHaveLength(1)
    expect(work.on).toBe(false)
  })
})
