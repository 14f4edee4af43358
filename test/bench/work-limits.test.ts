import { describe, expect, it } from 'vitest'
import { findExceeded, WORK_LIMITS, type WorkCount } from '../../bench/work-limits.js'

const AT_THE_LIMITS = Object.fromEntries(
  Object.entries(WORK_LIMITS).map(([name, { limit }]) => [name, limit]),
) as unknown as WorkCount

describe('The limits of the work', () => {
  it('pass counts that are at them', () => {
    expect(findExceeded(AT_THE_LIMITS)).toEqual([])
  })

  it('fail a count that is one above', () => {
    const counts = { ...AT_THE_LIMITS, brokerRequestsPerPage: WORK_LIMITS.brokerRequestsPerPage.limit + 1 }
    expect(findExceeded(counts)).toEqual(['brokerRequestsPerPage'])
  })

  it('fail a count that could not be taken', () => {
    expect(findExceeded({ ...AT_THE_LIMITS, heapKilobytesPer1000Items: NaN })).toEqual(['heapKilobytesPer1000Items'])
  })

  it('have a sentence each', () => {
    for (const { reason } of Object.values(WORK_LIMITS)) expect(reason).toMatch(/^[A-Z].+\.$/)
  })
})
