import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Batches } from '../../src/reconciliation/status-batches.js'

const HOUR = 3_600_000

describe('batches of messages', () => {
  it('hold each message once, never more than the provider takes, and keep a request line short', () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.string({ minLength: 1, maxLength: 300 }), { maxLength: 200 }),
        fc.integer({ min: 1, max: 100 }),
        (ids, most) => {
          const batches = [...new Batches(most).of(ids, 0)]
          expect(batches.flat()).toEqual(ids)
          for (const batch of batches) {
            expect(batch.length).toBeGreaterThan(0)
            expect(batch.length).toBeLessThanOrEqual(most)
            if (batch.length > 1) expect(batch.map((id) => encodeURIComponent(id)).join(',').length).toBeLessThan(1_500)
          }
        },
      ),
    )
  })

  it('hold a message that was refused alone by itself, until it is answered', () => {
    const batches = new Batches(100)
    batches.refusedAlone('b')
    expect([...batches.of(['a', 'b', 'c'], 0)]).toEqual([['b'], ['a', 'c']])
    batches.answered(['b'])
    expect([...batches.of(['a', 'b', 'c'], 0)]).toEqual([['a', 'b', 'c']])
  })

  it('hold one each for an hour where the provider takes one at a time', () => {
    const batches = new Batches(100)
    batches.takesOne(7)
    expect([...batches.of(['a', 'b'], HOUR + 6)]).toEqual([['a'], ['b']])
    expect([...batches.of(['a', 'b'], HOUR + 7)]).toEqual([['a', 'b']])
  })
})
