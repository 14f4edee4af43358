/**
 * `npm run test:faults -- --runs N --seed S`: the long form of the fault suite. Run i takes the i-th scenario, again and
 * again from the first one, and the seed S + i. A run that failed is repeated by its name and its seed:
 * `--only broker --seed 12345 --runs 1`.
 *
 * The exit code is 0 only if every run was carried out and nothing was lost, doubled or otherwise wrong.
 */
import { progressOn } from '../progress.js'
import { startOwnStack } from '../stack/own-stack.js'
import { parseArguments } from './arguments.js'
import { missingPrerequisite } from './prerequisites.js'
import { formatFaults, formatReports, type RunReport } from './report.js'
import type { FaultStack, Scenario } from './scenario.js'
import { runScenario } from './scenario-runner.js'

const MAX_PROBLEMS_SHOWN = 10
/** Access control lists, so that a scenario can take rights away. */
const BROKER_PROPERTIES = {
  'authorizer.class.name': 'org.apache.kafka.metadata.authorizer.StandardAuthorizer',
  'allow.everyone.if.no.acl.found': 'true',
}

const { runs, seed, scenarios, delivery, scale } = parseArguments(process.argv.slice(2))
const progress = progressOn(process.stdout)
const reports: RunReport[] = []
let failedRuns = 0
let skippedRuns = 0

async function run(scenario: Scenario, index: number, stack: FaultStack): Promise<void> {
  const runSeed = seed + index
  progress.step(`run ${index + 1} of ${runs}: ${scenario.name}, seed ${runSeed}: ${scenario.description}`)
  const reason = await missingPrerequisite(scenario, stack)
  if (reason !== null) {
    skippedRuns++
    return progress.step(`  skipped: ${reason}`)
  }
  try {
    const log = (text: string): void => progress.step(`  ${text}`)
    const report = await runScenario(scenario, stack, { seed: runSeed, delivery, scale, log })
    reports.push(report)
    showReport(report)
  } catch (error) {
    failedRuns++
    progress.step(`  FAILED ${String(error)}`)
  }
}

function showReport({ seconds, verdict, faults, problems }: RunReport): void {
  const { handedOut, owed, lost, doubled } = verdict.total
  const counts = `${handedOut} handed out, ${owed} owed, ${lost} lost, ${doubled} doubled`
  progress.step(`  ${seconds} s, ${counts}; ${formatFaults(faults)}`)
  if (problems.length > 0) failedRuns++
  for (const problem of problems.slice(0, MAX_PROBLEMS_SHOWN)) progress.step(`  ${problem}`)
  const hidden = problems.length - MAX_PROBLEMS_SHOWN
  if (hidden > 0) progress.step(`  and ${hidden} more`)
}

function conclusion(): string {
  if (failedRuns > 0) return `${failedRuns} of ${runs} runs failed.`
  if (reports.length === 0) return 'No run was carried out.'
  if (reports.length + skippedRuns < runs) return `Stopped after ${reports.length} of ${runs} runs, which were sound.`
  const doubled = reports.reduce((sum, { verdict }) => sum + verdict.total.doubled, 0)
  return [
    `${reports.length} of ${runs} runs: nothing lost, `,
    doubled === 0 ? 'nothing doubled.' : `${doubled} doubled where that is allowed, each under its first event id.`,
    skippedRuns === 0 ? '' : ` ${skippedRuns} runs were skipped.`,
  ].join('')
}

const stack = await startOwnStack({ progress, brokerProperties: BROKER_PROPERTIES })
let isStopping = false
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => {
    isStopping = true
    progress.step(`${signal}: stopping after this run; a second signal ends the process at once`)
  })
}
try {
  for (let index = 0; index < runs && !isStopping; index++) {
    await run(scenarios[index % scenarios.length]!, index, stack)
  }
  if (reports.length > 0) progress.step(`\n${formatReports(reports)}\n`)
  progress.step(conclusion())
} finally {
  await stack.stop()
}
// A run that was not carried out has proven nothing.
const isSound = failedRuns === 0 && reports.length > 0 && reports.length + skippedRuns === runs
process.exit(isSound ? 0 : 1)
