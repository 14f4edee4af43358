import fc from 'fast-check'
import { beforeEach, describe, expect, it } from 'vitest'
import { Ownership, partitionOf, sourcesOf } from '../../src/replicas/ownership.js'
import { ManualClock } from '../support/manual-clock.js'

const SESSION_TIMEOUT_MS = 30_000
const SOURCES = ['a', 'b', 'c']

let clock: ManualClock
let changes: number
let ownership: Ownership

beforeEach(() => {
  clock = new ManualClock()
  changes = 0
  ownership = new Ownership({
    sources: new Set(SOURCES),
    sessionTimeout: SESSION_TIMEOUT_MS,
    clock,
    onChange: () => changes++,
  })
  ownership.start()
})

const owned = (): string[] => SOURCES.filter((source) => ownership.owns(source))
const exclusive = (): string[] => SOURCES.filter((source) => ownership.ownsExclusively(source))

/** The group assigns these sources to the replica. */
const assign = (...sources: string[]): void => {
  ownership.heartbeatAnswered(clock.now())
  ownership.assigned({ assigned: sources.map((source) => partitionOf(source, 100)), partitions: 100 })
}

describe('A replica', () => {
  it('polls nothing while it waits for the first assignment', async () => {
    await clock.advance(SESSION_TIMEOUT_MS)
    expect(owned()).toEqual([])
    expect(ownership.report.membership).toBe('waiting')
  })

  it('polls everything and reconciles nothing once Kafka is unreachable or silent for too long', async () => {
    ownership.disconnected('no broker')
    expect(owned()).toEqual(SOURCES)
    expect(exclusive()).toEqual([])
    expect([ownership.report.membership, ownership.report.reason]).toEqual(['standalone', 'no broker'])

    ownership = new Ownership({
      sources: new Set(SOURCES),
      sessionTimeout: SESSION_TIMEOUT_MS,
      clock,
      onChange: () => changes++,
    })
    ownership.start()
    await clock.advance(SESSION_TIMEOUT_MS + 5_000)
    expect(owned()).toEqual(SOURCES)
    expect(ownership.report.membership).toBe('standalone')
  })

  it('owns exactly what the group assigns from the first assignment on', () => {
    ownership.disconnected('no broker')
    assign('b')
    expect(owned()).toEqual(['b'])
    expect(exclusive()).toEqual(['b'])
    assign()
    expect(owned()).toEqual([])
    expect(changes).toBe(3)
  })

  it('keeps its last assignment while the group does not answer, and reconciles none of it', async () => {
    assign('a', 'c')
    ownership.disconnected('connection refused')
    expect([owned(), exclusive(), ownership.report.membership]).toEqual([['a', 'c'], [], 'disconnected'])
    await clock.advance(10 * SESSION_TIMEOUT_MS)
    expect(owned()).toEqual(['a', 'c'])
    assign('a')
    expect([owned(), ownership.report.membership, ownership.report.reason]).toEqual([['a'], 'assigned', null])
  })

  it('keeps its assignment while heartbeats are not answered, and is a member again after the next answer', async () => {
    assign('a')
    await clock.advance(SESSION_TIMEOUT_MS / 2)
    ownership.heartbeatAnswered(clock.now())
    await clock.advance(SESSION_TIMEOUT_MS - 1)
    expect(exclusive()).toEqual(['a'])
    await clock.advance(2_000)
    expect([exclusive(), ownership.report.membership]).toEqual([[], 'disconnected'])
    ownership.heartbeatAnswered(clock.now())
    expect([exclusive(), ownership.report.membership]).toEqual([['a'], 'assigned'])
  })
})

describe('A replica that was stopped for longer than the session timeout', () => {
  it('owns nothing exclusively when it continues, whatever response was waiting in its socket', async () => {
    assign('a')
    const sentAt = clock.now()
    await clock.advance(SESSION_TIMEOUT_MS + 1)
    ownership.heartbeatAnswered(sentAt)
    expect(exclusive()).toEqual([])
  })

  it('notices the time by the wall clock if the monotonic clock stood still', () => {
    assign('a')
    clock.jumpTo(clock.now() + SESSION_TIMEOUT_MS)
    expect(exclusive()).toEqual([])
  })
})

const names = fc.uniqueArray(fc.stringMatching(/^[A-Za-z0-9._-]{1,100}$/), { minLength: 1, maxLength: 200 })

describe('The partition of a source', () => {
  it('stays the same across versions, which share the work during an update', () => {
    expect(['mtarget-fr', 'seven-main', 'a', 'b'].map((name) => partitionOf(name, 12))).toEqual([1, 2, 2, 6])
  })

  it('gives each source to one member, however the partitions are assigned', () => {
    fc.assert(
      fc.property(
        names,
        fc.integer({ min: 1, max: 50 }),
        fc.integer({ min: 1, max: 7 }),
        (sources, partitions, members) => {
          const assignments = Array.from({ length: members }, (_, member) =>
            Array.from({ length: partitions }, (_, i) => i).filter((i) => i % members === member),
          )
          const owned = assignments.flatMap((assigned) => [...sourcesOf(sources, { assigned, partitions })])
          expect(owned.sort()).toEqual([...sources].sort())
        },
      ),
    )
  })

  it('spreads many sources evenly over all partitions', () => {
    const counts = new Array<number>(12).fill(0)
    for (let i = 0; i < 12_000; i++) counts[partitionOf(`account-${i}`, 12)]!++
    expect(Math.min(...counts)).toBeGreaterThan(850)
    expect(Math.max(...counts)).toBeLessThan(1_150)
  })
})

describe('Sources that are added or removed', () => {
  it('are divided by the assignment of before, as on every other replica', () => {
    const sources = new Set(SOURCES)
    ownership = new Ownership({ sources, sessionTimeout: SESSION_TIMEOUT_MS, clock, onChange: () => changes++ })
    ownership.start()
    assign(SOURCES[0]!, 'later')
    expect(ownership.owns('later')).toBe(false)
    sources.add('later')
    sources.delete(SOURCES[0]!)
    const before = changes
    ownership.sourcesChanged()
    expect(changes).toBe(before + 1)
    expect([ownership.owns('later'), ownership.owns(SOURCES[0]!)]).toEqual([true, false])
    expect(ownership.ownsExclusively('later')).toBe(true)
  })

  it('are all polled by a replica that the group has never answered', () => {
    const sources = new Set(SOURCES)
    ownership = new Ownership({ sources, sessionTimeout: SESSION_TIMEOUT_MS, clock, onChange: () => changes++ })
    ownership.start()
    sources.add('later')
    ownership.sourcesChanged()
    expect(ownership.owns('later')).toBe(false)
    ownership.disconnected('no broker')
    sources.add('last')
    ownership.sourcesChanged()
    expect(['later', 'last'].map((source) => ownership.owns(source))).toEqual([true, true])
  })
})
