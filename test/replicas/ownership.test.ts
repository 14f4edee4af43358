import { beforeEach, describe, expect, it } from 'vitest'
import { Ownership } from '../../src/replicas/ownership.js'
import { partitionOf } from '../../src/replicas/assignment.js'
import { ManualClock } from '../support/manual-clock.js'

const SESSION = 30_000
const SOURCES = ['a', 'b', 'c']

let clock: ManualClock
let changes: number
let ownership: Ownership

beforeEach(() => {
  clock = new ManualClock()
  changes = 0
  ownership = new Ownership({ sources: SOURCES, sessionTimeout: SESSION, clock, changed: () => changes++ })
  ownership.start()
})

const owned = (): string[] => SOURCES.filter((source) => ownership.has(source))
const sole = (): string[] => SOURCES.filter((source) => ownership.sole(source))

/** The group speaks: these sources are ours. */
const assign = (...sources: string[]): void => {
  ownership.heard(clock.now())
  ownership.assigned({ assigned: sources.map((source) => partitionOf(source, 100)), partitions: 100 })
}

describe('a replica', () => {
  it('polls nothing while it waits for the first word of the group', async () => {
    await clock.advance(SESSION)
    expect(owned()).toEqual([])
    expect(ownership.membership).toBe('waiting')
  })

  it('polls everything, and reconciles nothing, once Kafka can not be had or is silent for too long', async () => {
    ownership.lost('no broker')
    expect(owned()).toEqual(SOURCES)
    expect(sole()).toEqual([])
    expect([ownership.membership, ownership.reason]).toEqual(['standalone', 'no broker'])

    ownership = new Ownership({ sources: SOURCES, sessionTimeout: SESSION, clock, changed: () => changes++ })
    ownership.start()
    await clock.advance(SESSION + 5_000)
    expect(owned()).toEqual(SOURCES)
    expect(ownership.membership).toBe('standalone')
  })

  it('has what the group assigns, and nothing else, from its first word on', () => {
    ownership.lost('no broker')
    assign('b')
    expect(owned()).toEqual(['b'])
    expect(sole()).toEqual(['b'])
    assign()
    expect(owned()).toEqual([])
    expect(changes).toBe(3)
  })

  it('keeps what it last had while there is no word, and reconciles none of it', async () => {
    assign('a', 'c')
    ownership.lost('connection refused')
    expect([owned(), sole(), ownership.membership]).toEqual([['a', 'c'], [], 'disconnected'])
    await clock.advance(10 * SESSION)
    expect(owned()).toEqual(['a', 'c'])
    assign('a')
    expect([owned(), ownership.membership, ownership.reason]).toEqual([['a'], 'assigned', null])
  })

  it('keeps it too when heartbeats stay without an answer, and is a member again with the next', async () => {
    assign('a')
    await clock.advance(SESSION / 2)
    ownership.heard(clock.now())
    await clock.advance(SESSION - 1)
    expect(sole()).toEqual(['a'])
    await clock.advance(2_000)
    expect([sole(), ownership.membership]).toEqual([[], 'disconnected'])
    ownership.heard(clock.now())
    expect([sole(), ownership.membership]).toEqual([['a'], 'assigned'])
  })
})

describe('a replica that was stopped for longer than the session time-out', () => {
  it('has nothing for itself alone when it wakes, whatever answer was waiting in its socket', async () => {
    assign('a')
    const sentAt = clock.now()
    await clock.advance(SESSION + 1)
    ownership.heard(sentAt)
    expect(sole()).toEqual([])
  })

  it('notices by the wall clock where the other one stood still', () => {
    assign('a')
    clock.jumpTo(clock.now() + SESSION)
    expect(sole()).toEqual([])
  })
})
