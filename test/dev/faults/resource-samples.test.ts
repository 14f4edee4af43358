/** A check that reports no growth where there is some would prove nothing. */
import { describe, expect, it } from 'vitest'
import {
  findGrowth,
  summarize,
  type ResourceSample,
  type ResourceSummary,
} from '../../../dev/faults/resource-samples.js'

const summary = (memoryMiB: number, fileMiB = 100): ResourceSummary => ({
  memoryMiB,
  maxMemoryMiB: memoryMiB,
  fileMiB,
  maxEntries: 0,
})
const sample = (memoryMiB: number, entries: number): ResourceSample => ({
  memoryMiB,
  fileMiB: memoryMiB / 2,
  entries,
  oldestAgeSeconds: 0,
})

describe('findGrowth', () => {
  it('reports nothing if sizes vary after an initial growth', () => {
    const memories = [20, 60, 100, 120, 95, 110, 118, 99, 121, 104]
    expect(findGrowth(memories.map((memory) => summary(memory)))).toEqual([])
  })

  it('reports memory that grows by a seventh from summary to summary', () => {
    const memories = [100, 115, 130, 145, 160, 175, 190, 205, 220, 235]
    expect(findGrowth(memories.map((memory) => summary(memory)))).toEqual(['The memory grew from 175 to 220 MiB'])
  })

  it('reports a file of the journal whose pages are never used again', () => {
    const sizes = [100, 200, 300, 400, 500, 600]
    expect(findGrowth(sizes.map((size) => summary(100, size)))).toEqual([
      'The file of the journal grew from 350 to 550 MiB',
    ])
  })

  it('reports summaries without samples', () => {
    expect(findGrowth([summary(NaN), summary(NaN), summary(NaN)])).toHaveLength(1)
  })
})

describe('summarize', () => {
  it('returns the median and the maximum of memory, the last file size and the maximum of entries', () => {
    expect(summarize([sample(100, 5), sample(300, 900), sample(120, 7)])).toEqual({
      memoryMiB: 120,
      maxMemoryMiB: 300,
      fileMiB: 60,
      maxEntries: 900,
    })
  })
})
