import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { look } from '../../src/reconciliation/due-messages.js'

const schedule = { after: 15, every: 5, giveUpAfter: 100 }
const watched = (messageId: string, since: number, lastAskedAt = 0) => ({ messageId, since, lastAskedAt })

describe('what is due', () => {
  it('is what was watched for `after` and not asked for within `every`; the rest says when', () => {
    const list = [watched('a', 0), watched('b', 6), watched('c', 0, 16), watched('d', 1, 14), watched('e', 4, 19)]
    expect(look(list, 20, schedule, 100)).toEqual({ due: ['a', 'd'], over: [], watched: 5, next: 21, last: undefined })
  })

  it('is nothing of an empty list', () => {
    expect(look([], 20, schedule, 100)).toEqual({ due: [], over: [], watched: 0, next: Infinity, last: undefined })
  })

  it('ends with `giveUpAfter`; what was not asked for shortly before that has a last question, for as long again', () => {
    const list = [watched('asked', 0, 96), watched('never', 0), watched('long ago', 0, 50), watched('last', 0, 101)]
    expect(look(list, 110, schedule, 100)).toMatchObject({ due: ['never', 'long ago'], over: ['asked', 'last'] })
    expect(look(list, 200, schedule, 100)).toMatchObject({ due: [], over: ['asked', 'never', 'long ago', 'last'] })
  })

  it('is due too when it was asked for in the future: the clock was set back', () => {
    expect(look([watched('a', 0, 5_000)], 50, schedule, 100).due).toEqual(['a'])
  })

  it('is looked for bit by bit, without leaving one out or taking one twice', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(120), fc.nat(120)), { maxLength: 300 }),
        fc.integer({ min: 1, max: 40 }),
        (rows, most) => {
          const list = rows.map(([since, asked], i) => watched(String(i).padStart(4, '0'), since, asked))
          const whole = look(list, 120, schedule, Infinity)
          const due: string[] = []
          const over: string[] = []
          let left: readonly (typeof list)[number][] = list
          let next = Infinity
          for (;;) {
            const found = look(left, 120, schedule, most)
            expect(found.due.length).toBeLessThanOrEqual(most)
            due.push(...found.due)
            over.push(...found.over)
            next = Math.min(next, found.next)
            if (found.last === undefined) break
            left = left.filter(({ messageId }) => messageId > (found.last as string))
          }
          expect({ due, over, next }).toEqual({ due: whole.due, over: whole.over, next: whole.next })
        },
      ),
    )
  })
})
