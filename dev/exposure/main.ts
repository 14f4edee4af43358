/**
 * `npm run exposure`: prints how many items are exposed while a backlog is drained, by round trip, with pages that double
 * and with the smallest page that keeps up. `npm run test:faults -- --only drain-50ms` measures the same by kill -9.
 */
import { PageSizeController } from '../../src/polling/page-size-controller.js'
import { DoublingRule, simulateDrain } from './simulation.js'

/** The defaults of `pull.limit`. */
const LIMITS = { min: 10, start: 50, max: 1_000, itemsPerSecond: 1_000 }
const BACKLOG_ITEMS = 100_000
const ROUND_TRIPS_MS = [5, 50, 500]

const show = (value: number): string => Math.round(value).toLocaleString('en-US')

console.log('| round trip | exposed before | exposed now | factor | items/s before | items/s now |')
console.log('|---|---|---|---|---|---|')
for (const roundTripMs of ROUND_TRIPS_MS) {
  const drain = { items: BACKLOG_ITEMS, roundTripMs }
  const before = simulateDrain(new DoublingRule(LIMITS), drain)
  const now = simulateDrain(new PageSizeController(LIMITS), drain)
  const factor = before.settledExposedItems / now.settledExposedItems
  const cells = [
    `${roundTripMs} ms`,
    show(before.settledExposedItems),
    show(now.settledExposedItems),
    show(factor),
    show(before.itemsPerSecond),
    show(now.itemsPerSecond),
  ]
  console.log(`| ${cells.join(' | ')} |`)
}
