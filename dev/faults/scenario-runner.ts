/** Runs one scenario: a trial under load while faults are injected, and then the verdict of the oracle. */
import { setTimeout as delay } from 'node:timers/promises'
import { listProblems } from '../oracle/oracle.js'
import { TopicReader, type TopicRecord } from '../oracle/topic-reader.js'
import { Random } from '../simulators/random.js'
import { startTrial, type Trial, type TrialConfiguration } from '../trial.js'
import { formatFaults, type RunReport } from './report.js'
import { ScenarioRun, type FaultStack, type PreparedScenario, type RunOptions, type Scenario } from './scenario.js'

const CLEAN_UP_TIMEOUT_MS = 10_000
const PROGRESS_INTERVAL_MS = 30_000

export async function runScenario(scenario: Scenario, given: FaultStack, options: RunOptions): Promise<RunReport> {
  const { seed, delivery = 'exactly-once', scale = 1, log = () => undefined } = options
  const startedAt = Date.now()
  const random = new Random(seed)
  const conditions = { stack: given, random, delivery }
  const prepared = 'prepare' in scenario ? await scenario.prepare(conditions) : scenario
  const stack = prepared.stack ?? given
  const trial = await startTrial(stack, (configuration) => {
    makeFaultsFrequent(configuration)
    configuration.kafka['delivery'] = delivery
    prepared.configure?.(configuration)
  })
  const run = new ScenarioRun(trial, random, { seed, scale, log })
  const progress = setInterval(() => log(formatProgress(run)), PROGRESS_INTERVAL_MS)
  try {
    await prepared.injectFaults(run)
    await run.settle()
    const reader = new TopicReader({ ...stack, topics: trial.topics })
    const all = concatenate(run.recordsOfDeletedTopics, await reader.readAllLazily())
    const records = withoutDeadLetters(all, trial.topics.deadLetter, run.replayedDeadLetters)
    const { callbacks, burstSize } = run
    const verdict = trial.audit(records, { callbacks, burstSize })
    run.countFault('request read after its process had died', countLateRequests(trial))
    const mayDouble = delivery === 'at-least-once' || scenario.mayDouble === true
    const problems = [...run.problems, ...listProblems(verdict, { mayDouble })]
    if (problems.length > 0) log(await trial.connector.endOfLog(50))
    const seconds = Math.round((Date.now() - startedAt) / 1_000)
    return { scenario: scenario.name, seed, delivery, seconds, faults: run.faults, verdict, problems }
  } catch (error) {
    const log = await trial.connector.endOfLog(30)
    throw new Error(`${String(error)}\nafter ${formatFaults(run.faults)}\n${log}`, { cause: error })
  } finally {
    clearInterval(progress)
    await run.load.stop()
    await cleanUp(trial, prepared)
  }
}

/** Small pages and short timeouts, so that more faults coincide with more operations in the same time. */
function makeFaultsFrequent(configuration: TrialConfiguration): void {
  configuration.kafka['requestTimeout'] = '1s'
  const { pull } = configuration.sources['mtarget-fr']
  pull['limit'] = { min: 10, start: 10, max: 100 }
  pull['idleDelay'] = '50ms'
  pull['timeout'] = '2s'
}

/** The requests to the queue that were read after a process with a higher number had sent one. */
function countLateRequests({ mtarget }: Trial): number {
  let newest = 0
  let late = 0
  for (const answer of mtarget.answers) {
    const process = Number(answer.process)
    if (process < newest) late++
    newest = Math.max(newest, process)
  }
  return late
}

function formatProgress({ callbacks, faults }: ScenarioRun): string {
  const count = callbacks.reduce((sum, { outcomes }) => sum + outcomes.length, 0)
  return `${count} callbacks so far; faults: ${formatFaults(faults) || 'none'}`
}

function* concatenate<T>(...parts: readonly Iterable<T>[]): Iterable<T> {
  for (const part of parts) yield* part
}

function* withoutDeadLetters(
  records: Iterable<TopicRecord>,
  topic: string,
  eventIds: ReadonlySet<string>,
): Iterable<TopicRecord> {
  for (const record of records) {
    if (record.topic !== topic || !eventIds.has(record.value['eventId'] as string)) yield record
  }
}

async function cleanUp(trial: Trial, prepared: PreparedScenario): Promise<void> {
  try {
    // Throws if log or journal contain credentials.
    await trial.stop()
  } finally {
    await Promise.race([prepared.cleanUp?.(), delay(CLEAN_UP_TIMEOUT_MS)])
  }
}
