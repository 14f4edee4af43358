/** `npm run bench:smoke`: counts the work of the connector, and fails if it is more than `work-limits.ts` allows. */
import { progressOn } from '../dev/progress.js'
import { startStack } from '../dev/stack/index.js'
import { formatNumber } from '../dev/table.js'
import { countWork } from './work-count.js'
import { findExceeded, WORK_LIMITS, type WorkName } from './work-limits.js'

const stack = await startStack({ progress: progressOn() })
try {
  const { counts, requestsOfPage } = await countWork(stack)
  const exceeded = findExceeded(counts)
  for (const [name, { limit, reason }] of Object.entries(WORK_LIMITS)) {
    const isExceeded = exceeded.includes(name as WorkName)
    const count = formatNumber(counts[name as WorkName])
    console.log(`${isExceeded ? 'FAILED' : 'ok    '} ${name}: ${count}, at most ${formatNumber(limit)}. ${reason}`)
  }
  console.log(`The requests of a page: ${requestsOfPage.join(', ')}`)
  if (exceeded.length > 0) process.exitCode = 1
} finally {
  await stack.stop()
}
