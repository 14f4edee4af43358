/**
 * `npm run test:faults -- --runs N --seed S`: the long form. Run i takes the i-th scenario, around and around, and the
 * seed S + i. What failed is run again by its name and seed: `--only broker --seed 12345 --runs 1`.
 *
 * Exit code 0 only if nothing was lost, doubled or otherwise wrong in any run.
 */
import { progressOn } from '../progress.js'
import { startStack } from '../stack/index.js'
import { asked } from './arguments.js'
import { runScenario } from './run-scenario.js'
import type { FaultStack, Scenario } from './scenario-run.js'
import { missingPrerequisite } from './prerequisites.js'
import { faultsIn, table, type Report } from './report.js'

const { runs, seed, chosen, delivery, scale } = asked(process.argv.slice(2))
const progress = progressOn(process.stdout)
const reports: Report[] = []
let failed = 0
let leftOut = 0

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
  const reason = await missingPrerequisite(scenario, stack)
  if (reason !== null) {
    leftOut++
    return progress.step(`  left out: ${reason}`)
  }
  try {
    const say = (text: string): void => progress.step(`  ${text}`)
    const report = await runScenario(scenario, stack, { seed: seed + number, delivery, scale, say })
    reports.push(report)
    const { handedOut, lost, doubled, owed } = report.verdict
    progress.step(
      `  ${report.seconds} s, ${handedOut} handed out, ${owed} owed, ${lost.length} lost, ${doubled.length} doubled; ${faultsIn(report.counts)}`,
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
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => {
    leaving = true
    progress.step(`${signal}: this run is the last; once more to leave at once`)
  })
}
try {
  for (let number = 0; number < runs && !leaving; number++) {
    await run(chosen[number % chosen.length]!, number, stack)
  }
  progress.step(`\n${table(reports)}\n`)
  progress.step(verdict())
} finally {
  await stack.stop()
}
// What was not looked at was not found sound.
process.exit(failed === 0 && reports.length > 0 && reports.length + leftOut === runs ? 0 : 1)

function verdict(): string {
  if (failed > 0) return `${failed} of ${runs} runs went wrong.`
  if (reports.length === 0) return 'Nothing was run.'
  if (reports.length + leftOut < runs) return `Ended after ${reports.length} of ${runs} runs, which were sound.`
  const doubled = reports.reduce((sum, report) => sum + report.verdict.doubled.length, 0)
  return [
    `${reports.length} of ${runs} runs: nothing lost, `,
    doubled === 0 ? 'nothing doubled.' : `${doubled} doubled where that may be, each with the event id of the first.`,
    leftOut === 0 ? '' : ` ${leftOut} left out.`,
  ].join('')
}
