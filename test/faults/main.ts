/**
 * `npm run test:faults -- --runs N --seed S`: the long form. Run i takes the i-th scenario, around and around, and the
 * seed S + i. What failed is run again by its name and seed: `--only broker --seed 12345 --runs 1`.
 *
 * Exit code 0 only if nothing was lost, doubled or otherwise wrong in any run.
 */
import { parseArgs } from 'node:util'
import { progressOn } from '../../dev/progress.js'
import { startStack } from '../../dev/stack/index.js'
import { conduct, type Report } from './conduct.js'
import type { Delivery, FaultStack, Scenario } from './ground.js'
import { missing } from './missing.js'
import { table } from './report.js'
import { SCENARIOS } from './scenarios/index.js'

const { values } = parseArgs({
  options: {
    runs: { type: 'string' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
    /** Names of scenarios, comma-separated; by default all that do not take long. */
    only: { type: 'string' },
    delivery: { type: 'string', default: 'exactly-once' },
    /** Less than 1: shorter runs. */
    scale: { type: 'string', default: '1' },
  },
})

const delivery = values.delivery as Delivery
const names = values.only?.split(',')
const unknown = names?.find((name) => !SCENARIOS.some((each) => each.name === name))
if (unknown !== undefined) {
  console.error(`no scenario "${unknown}"; there are ${SCENARIOS.map(({ name }) => name).join(', ')}`)
  process.exit(2)
}
const chosen = SCENARIOS.filter(
  ({ name, only, byNameOnly }) => (names?.includes(name) ?? !byNameOnly) && (only ?? delivery) === delivery,
)
const runs = Number(values.runs ?? chosen.length)
const seed = Number(values.seed)
const progress = progressOn(process.stdout)
const reports: Report[] = []
let failed = 0

/** Its own, since it is killed; with rules of access, for those to be taken away. */
const STACK = {
  own: true,
  brokerProperties: {
    'authorizer.class.name': 'org.apache.kafka.metadata.authorizer.StandardAuthorizer',
    'allow.everyone.if.no.acl.found': 'true',
  },
}

async function run(scenario: Scenario, number: number, stack: FaultStack): Promise<void> {
  progress.step(`run ${number + 1} of ${runs}: ${scenario.name}, seed ${seed + number}: ${scenario.about}`)
  const reason = await missing(scenario, stack)
  if (reason !== null) return progress.step(`  left out: ${reason}`)
  try {
    const say = (text: string): void => progress.step(`  ${text}`)
    const report = await conduct(scenario, stack, { seed: seed + number, delivery, scale: Number(values.scale), say })
    reports.push(report)
    const { handedOut, lost, doubled, owed } = report.verdict
    const faults = [...report.counts].map(([fault, times]) => `${times} ${fault}`).join(', ')
    progress.step(
      `  ${report.seconds} s, ${handedOut} handed out, ${owed} owed, ${lost.length} lost, ${doubled.length} doubled; ${faults}`,
    )
    if (report.complaints.length > 0) failed++
    for (const complaint of report.complaints.slice(0, 10)) progress.step(`  ${complaint}`)
    if (report.complaints.length > 10) progress.step(`  and ${report.complaints.length - 10} more`)
  } catch (error) {
    failed++
    progress.step(`  FAILED ${String(error)}`)
  }
}

const stack = await startStack({ progress, ...STACK })
let leaving = false
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => (leaving = true))
try {
  for (let number = 0; number < runs && !leaving; number++) {
    await run(chosen[number % chosen.length]!, number, stack)
  }
  progress.step(`\n${table(reports)}\n`)
  progress.step(failed === 0 ? 'Nothing lost, nothing doubled.' : `${failed} runs went wrong.`)
} finally {
  await stack.stop()
}
process.exit(failed === 0 ? 0 : 1)
