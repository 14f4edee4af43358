import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { StatusBatches, findDueMessages } from '../../src/reconciliation/status-poller.js'

describe('StatusBatches', () => {
  it('puts each message into one batch, no batch above the limit of ids or of request line length', () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.string({ minLength: 1, maxLength: 300 }), { maxLength: 200 }),
        fc.integer({ min: 1, max: 100 }),
        (ids, maxIds) => {
          const batches = [...new StatusBatches(maxIds).split(ids, 0)]
          expect(batches.flat()).toEqual(ids)
          for (const batch of batches) {
            expect(batch.length).toBeGreaterThan(0)
            expect(batch.length).toBeLessThanOrEqual(maxIds)
            if (batch.length > 1) expect(batch.map((id) => encodeURIComponent(id)).join(',').length).toBeLessThan(1_500)
          }
        },
      ),
    )
  })

  it('keeps a refused message alone in its batch until it is answered', () => {
    const batches = new StatusBatches(100)
    batches.requireAlone(['b'])
    expect([...batches.split(['a', 'b', 'c'], 0)]).toEqual([['b'], ['a', 'c']])
    batches.allowTogether(['b'])
    expect([...batches.split(['a', 'b', 'c'], 0)]).toEqual([['a', 'b', 'c']])
  })

  it('makes batches of one message for an hour once the provider accepts only one at a time', () => {
    const HOUR = 3_600_000
    const batches = new StatusBatches(100)
    batches.requireSingle(7)
    expect([...batches.split(['a', 'b'], HOUR + 6)]).toEqual([['a'], ['b']])
    expect([...batches.split(['a', 'b'], HOUR + 7)]).toEqual([['a', 'b']])
  })
})

describe('findDueMessages', () => {
  const schedule = { after: 15, every: 5, giveUpAfter: 100 }
  const watched = (messageId: string, since: number, lastAskedAt = 0) => ({ messageId, since, lastAskedAt })

  it('finds messages watched for `after` and not queried within `every`, and when the next one becomes due', () => {
    const list = [watched('a', 0), watched('b', 6), watched('c', 0, 16), watched('d', 1, 14), watched('e', 4, 19)]
    expect(findDueMessages(list, 20, schedule, 100)).toEqual({
      due: ['a', 'd'],
      expired: [],
      watched: 5,
      nextDueAt: 21,
      continueAfter: undefined,
    })
  })

  it('finds nothing in an empty list', () => {
    expect(findDueMessages([], 20, schedule, 100)).toEqual({
      due: [],
      expired: [],
      watched: 0,
      nextDueAt: Infinity,
      continueAfter: undefined,
    })
  })

  it('expires messages after `giveUpAfter`, those that were not queried shortly before only after as long again', () => {
    const list = [watched('asked', 0, 96), watched('never', 0), watched('long ago', 0, 50), watched('last', 0, 101)]
    expect(findDueMessages(list, 110, schedule, 100)).toMatchObject({
      due: ['never', 'long ago'],
      expired: ['asked', 'last'],
    })
    expect(findDueMessages(list, 200, schedule, 100)).toMatchObject({
      due: [],
      expired: ['asked', 'never', 'long ago', 'last'],
    })
  })

  it('finds a message that was queried in the future, because the clock was set back', () => {
    expect(findDueMessages([watched('a', 0, 5_000)], 50, schedule, 100).due).toEqual(['a'])
  })

  it('finds each message once when a long list is searched in several steps', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(120), fc.nat(120)), { maxLength: 300 }),
        fc.integer({ min: 1, max: 40 }),
        (rows, maxDue) => {
          const list = rows.map(([since, asked], i) => watched(String(i).padStart(4, '0'), since, asked))
          const whole = findDueMessages(list, 120, schedule, Infinity)
          const due: string[] = []
          const expired: string[] = []
          let left: readonly (typeof list)[number][] = list
          let nextDueAt = Infinity
          for (;;) {
            const found = findDueMessages(left, 120, schedule, maxDue)
            expect(found.due.length).toBeLessThanOrEqual(maxDue)
            due.push(...found.due)
            expired.push(...found.expired)
            nextDueAt = Math.min(nextDueAt, found.nextDueAt)
            if (found.continueAfter === undefined) break
            left = left.filter(({ messageId }) => messageId > (found.continueAfter as string))
          }
          expect({ due, expired, nextDueAt }).toEqual({
            due: whole.due,
            expired: whole.expired,
            nextDueAt: whole.nextDueAt,
          })
        },
      ),
    )
  })
})
