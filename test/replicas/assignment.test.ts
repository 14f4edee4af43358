import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { partitionOf, sourcesOf } from '../../src/replicas/assignment.js'

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
