import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { DoublingRule, simulateDrain } from '../../../dev/exposure/simulation.js'
import { PageSizeController } from '../../../src/polling/page-size-controller.js'

const LIMITS = { min: 10, start: 50, max: 1_000, itemsPerSecond: 1_000 }
const ITEMS = 100_000

describe('The items that a death during a drain costs, in a simulation', () => {
  it.each([
    { roundTripMs: 5, exposed: 10, factor: 100 },
    { roundTripMs: 50, exposed: 50, factor: 20 },
    { roundTripMs: 500, exposed: 500, factor: 2 },
  ])(
    'are $exposed at a round trip of $roundTripMs ms, a $factor-th of those with pages that double',
    ({ roundTripMs, exposed, factor }) => {
      const drain = { items: ITEMS, roundTripMs }
      const now = simulateDrain(new PageSizeController(LIMITS), drain)
      const before = simulateDrain(new DoublingRule(LIMITS), drain)
      expect(now.settledExposedItems).toBe(exposed)
      expect(before.settledExposedItems).toBe(exposed * factor)
      expect(now.itemsPerSecond).toBeGreaterThan(0.9 * LIMITS.itemsPerSecond)
    },
  )

  it('never exceed itemsPerSecond × round trip by more than half, while the page size settles', () => {
    for (const roundTripMs of [50, 100, 200, 500, 900]) {
      const { largestPage } = simulateDrain(new PageSizeController(LIMITS), { items: ITEMS, roundTripMs })
      expect(largestPage).toBeLessThanOrEqual(1.5 * roundTripMs)
    }
  })

  it('are stated in docs/reliability.md', () => {
    const text = readFileSync(new URL('../../../docs/reliability.md', import.meta.url), 'utf8')
    for (const roundTripMs of [5, 50, 500]) {
      const drain = { items: ITEMS, roundTripMs }
      const before = simulateDrain(new DoublingRule(LIMITS), drain).settledExposedItems
      const now = simulateDrain(new PageSizeController(LIMITS), drain).settledExposedItems
      expect(text).toMatch(
        new RegExp(`^\\| ${roundTripMs} ms \\| ${before.toLocaleString('en-US')} \\| ${now} \\|`, 'm'),
      )
    }
  })
})
