import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type BodyAllotment, BodyRoom } from '../../src/callbacks/body-room.js'

interface TestedBody {
  readonly allotment: BodyAllotment
  isDisplaced: boolean
}

const open = (room: BodyRoom, source: string, address: string): TestedBody => {
  const body: TestedBody = { allotment: room.open({ source, address }), isDisplaced: false }
  body.allotment.onDisplaced = () => (body.isDisplaced = true)
  return body
}

describe('BodyRoom', () => {
  it('displaces the oldest body of the address that holds the most, in the source that holds the most', () => {
    const room = new BodyRoom(1_000)
    const stranger = open(room, 'signed', '198.51.100.1')
    const second = open(room, 'signed', '198.51.100.1')
    const neighbour = open(room, 'signed', '198.51.100.2')
    const other = open(room, 'other', '198.51.100.1')
    expect([stranger, second, neighbour, other].map(({ allotment }) => allotment.take(200))).toEqual(
      Array(4).fill(null),
    )
    const newcomer = open(room, 'other', '203.0.113.1')
    expect(newcomer.allotment.take(250)).toBeNull()
    expect([stranger, second, neighbour, other].map(({ isDisplaced }) => isDisplaced)).toEqual([
      true,
      false,
      false,
      false,
    ])
  })

  it('displaces the newcomer if it is the one that holds the most', () => {
    const room = new BodyRoom(1_000)
    const small = open(room, 's', '203.0.113.1')
    const large = open(room, 's', '198.51.100.1')
    expect(small.allotment.take(100)).toBeNull()
    expect(large.allotment.take(800)).toBeNull()
    expect(large.allotment.take(200)).toBe('displaced')
    expect(small.isDisplaced).toBe(false)
  })

  it('keeps bodies that have arrived completely, and has no memory while they take everything', () => {
    const room = new BodyRoom(1_000)
    const complete = open(room, 's', '203.0.113.1')
    expect(complete.allotment.take(1_000)).toBeNull()
    complete.allotment.complete()
    const newcomer = open(room, 's', '203.0.113.2')
    expect(newcomer.allotment.take(1)).toBe('no-memory')
    complete.allotment.giveBack()
    expect(newcomer.allotment.take(1)).toBeNull()
    expect(complete.isDisplaced).toBe(false)
  })

  it('finds room for a body that arrives at once, whatever one address holds slowly for whichever source', () => {
    fc.assert(
      fc.property(
        fc.array(fc.record({ source: fc.constantFrom('a', 'b', 'c'), bytes: fc.integer({ min: 1, max: 100 }) }), {
          minLength: 1,
          maxLength: 200,
        }),
        fc.constantFrom('a', 'b', 'c'),
        (slow, source) => {
          const room = new BodyRoom(1_000)
          for (const each of slow) open(room, each.source, '198.51.100.1').allotment.take(each.bytes)
          const newcomer = open(room, source, '203.0.113.1')
          expect(newcomer.allotment.take(50)).toBeNull()
          newcomer.allotment.complete()
          expect(newcomer.isDisplaced).toBe(false)
          expect(room.usedBytes).toBeLessThanOrEqual(1_000)
        },
      ),
    )
  })

  it('counts exactly the bytes that are held', () => {
    const step = fc.record({
      action: fc.constantFrom('take', 'complete', 'giveBack'),
      body: fc.nat(9),
      bytes: fc.integer({ min: 1, max: 400 }),
    })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 100 }), (steps) => {
        const room = new BodyRoom(1_000)
        const bodies = Array.from({ length: 10 }, (_, at) => open(room, `s${at % 2}`, `a${at % 3}`))
        const held = new Map<TestedBody, number>()
        for (const body of bodies) {
          body.allotment.onDisplaced = () => held.delete(body)
        }
        for (const { action, body: at, bytes } of steps) {
          const body = bodies[at]!
          if (action === 'take') {
            const problem = body.allotment.take(bytes)
            if (problem === null) held.set(body, (held.get(body) ?? 0) + bytes)
          } else if (action === 'complete') body.allotment.complete()
          else {
            body.allotment.giveBack()
            held.delete(body)
          }
          expect(room.usedBytes).toBe([...held.values()].reduce((sum, each) => sum + each, 0))
          expect(room.usedBytes).toBeLessThanOrEqual(1_000)
        }
      }),
    )
  })
})
