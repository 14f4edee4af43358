import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { DeadLetter } from 'dlr-mo-connector/schemas'
import { DeadLetterJoiner } from '../../examples/consumers/typescript/dead-letter-joiner.js'

const partOf = (eventId: string, part: number, parts: number, body = `${eventId}${part}`): DeadLetter => ({
  ...{ eventId, source: 'mtarget-fr', provider: 'mtarget', via: 'PULL', reason: 'test', detail: '', receivedAt: 0 },
  ...{ request: {}, body: Buffer.from(body), part, parts },
})

const bodyOf = (letter: DeadLetter | undefined): string | undefined => letter && Buffer.from(letter.body).toString()

/** Adds parts at the offsets 0, 1 and so on, and returns the bodies of the letters that became whole. */
const join = (joiner: DeadLetterJoiner, parts: readonly DeadLetter[]): (string | undefined)[] =>
  parts.flatMap((part, offset) => bodyOf(joiner.add(part, BigInt(offset))) ?? [])

describe('DeadLetterJoiner', () => {
  it('joins each letter once, however the parts of several letters are mixed', () => {
    const counts = fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 1, maxLength: 5 })
    fc.assert(
      fc.property(counts, fc.infiniteStream(fc.nat()), (partCounts, choices) => {
        const queues = partCounts.map((parts, letter) =>
          Array.from({ length: parts }, (_, part) => partOf(`letter-${letter}/`, part, parts)),
        )
        const mixed: DeadLetter[] = []
        while (queues.some((queue) => queue.length > 0)) {
          const open = queues.filter((queue) => queue.length > 0)
          mixed.push(open[choices.next().value! % open.length]!.shift()!)
        }
        const joiner = new DeadLetterJoiner()
        const whole = partCounts.map((parts, letter) =>
          Array.from({ length: parts }, (_, part) => `letter-${letter}/${part}`).join(''),
        )
        expect(join(joiner, mixed).sort()).toEqual(whole.sort())
        expect(joiner.firstOpenOffset).toBeUndefined()
      }),
    )
  })

  it('holds back the offset of the first part that waits', () => {
    const joiner = new DeadLetterJoiner()
    expect(joiner.firstOpenOffset).toBeUndefined()
    join(joiner, [partOf('whole', 0, 1), partOf('a', 0, 2), partOf('b', 0, 2)])
    expect(joiner.firstOpenOffset).toBe(1n)
    joiner.add(partOf('a', 1, 2), 3n)
    expect(joiner.firstOpenOffset).toBe(2n)
    joiner.add(partOf('b', 1, 2), 4n)
    expect(joiner.firstOpenOffset).toBeUndefined()
  })

  it('leaves out a letter whose beginning is no longer there', () => {
    const joiner = new DeadLetterJoiner()
    expect(join(joiner, [partOf('a', 1, 3), partOf('a', 2, 3)])).toEqual([])
    expect(joiner.firstOpenOffset).toBeUndefined()
  })

  it('joins a letter once if two replicas published it at the same time', () => {
    const twice = [0, 0, 1, 1, 2, 2].map((part) => partOf('a', part, 3))
    expect(join(new DeadLetterJoiner(), twice)).toEqual(['a0a1a2'])
  })

  it('begins anew if a letter is published again in another division', () => {
    const joiner = new DeadLetterJoiner()
    const parts = [partOf('a', 0, 3), partOf('a', 1, 3), partOf('a', 0, 2, 'first '), partOf('a', 1, 2, 'second')]
    expect(join(joiner, parts)).toEqual(['first second'])
    expect(joiner.firstOpenOffset).toBeUndefined()
  })
})
