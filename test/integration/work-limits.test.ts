/** The built connector does no more work than `bench/work-limits.ts` allows, whatever the speed of the machine. */
import { beforeAll, describe, expect, inject, it } from 'vitest'
import { countWork } from '../../bench/work-count.js'
import { WORK_LIMITS, type WorkCount, type WorkName } from '../../bench/work-limits.js'

/** Half a minute on an idle machine with two cores. */
const COUNT_TIMEOUT_MS = 300_000

describe('The work of the connector', () => {
  let counts: WorkCount

  beforeAll(async () => {
    const counted = await countWork({ brokers: inject('brokers'), registryUrl: inject('registryUrl') })
    counts = counted.counts
  }, COUNT_TIMEOUT_MS)

  it.each(Object.entries(WORK_LIMITS))('stays within the limit of %s', (name, { limit }) => {
    expect(counts[name as WorkName]).toBeLessThanOrEqual(limit)
  })

  it('is counted', () => {
    // A transaction has at least a request that writes and one that commits, and an entry is written and released.
    const positive = (Object.keys(WORK_LIMITS) as WorkName[]).filter((name) => WORK_LIMITS[name].limit > 0)
    expect(positive.filter((name) => !(counts[name] >= 2))).toEqual([])
  })
})
