import fc from 'fast-check'
import { Partitioners } from 'kafkajs'
import { describe, expect, it } from 'vitest'
import { createJavaPartitioner } from '../../src/kafka/partitioner.js'

describe('The partitioner', () => {
  // Hashes from org.apache.kafka.common.utils.UtilsTest.testMurmur2.
  it.each([
    ['21', -973932308],
    ['foobar', -790332482],
    ['a-little-bit-long-string', -985981536],
    ['a-little-bit-longer-string', -1486304829],
    ['lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8', -58897971],
  ])('chooses the same partition for "%s" as the Java client', (key, hash) => {
    for (const count of [1, 3, 6, 50]) {
      const partitionOf = createJavaPartitioner(new Map([['topic', count]]))
      expect(partitionOf('topic', key)).toBe((hash & 0x7fffffff) % count)
    }
  })

  it('uses partitions that are added while it runs', () => {
    const partitions = new Map([['topic', 1]])
    const partitionOf = createJavaPartitioner(partitions)
    expect(partitionOf('topic', 'foobar')).toBe(0)
    partitions.set('topic', 50)
    expect(partitionOf('topic', 'foobar')).toBe((-790332482 & 0x7fffffff) % 50)
  })

  it('returns a partition for an empty key', () => {
    expect(createJavaPartitioner(new Map([['topic', 6]]))('topic', '')).toBeGreaterThanOrEqual(0)
  })

  it('agrees with the partitioner of kafkajs for any key', () => {
    const theirs = Partitioners.DefaultPartitioner()
    const ours = createJavaPartitioner(new Map([['topic', 1009]]))
    const partitionMetadata = new Array<never>(1009)
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 40 }), (key) => {
        const expected = theirs({ topic: 'topic', partitionMetadata, message: { key, value: null } })
        expect(ours('topic', key)).toBe(expected)
      }),
      { numRuns: 300 },
    )
  })

  it('takes linear time for a key of a megabyte', () => {
    const key = 'k'.repeat(1024 * 1024)
    const partitionOf = createJavaPartitioner(new Map([['topic', 6]]))
    // With quadratic time this would exceed the time limit of the test.
    expect(partitionOf('topic', key)).toBeLessThan(6)
  })

  it('throws for a topic whose number of partitions is unknown', () => {
    expect(() => createJavaPartitioner(new Map())('other', 'k')).toThrow('topic other')
  })
})
